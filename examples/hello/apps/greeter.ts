// Greets whoever asks, by the name in ?name=.
import { createServer } from 'node:http'

const server = createServer((request, response) => {
  const name = new URL(request.url ?? '/', 'http://greeter').searchParams.get('name') ?? 'stranger'
  response.end(`Hello, ${name}!\n`)
})
server.listen(Number(process.env['PORT'] ?? 9020), '127.0.0.1')
process.once('SIGTERM', () => server.close(() => process.exit(0)).closeIdleConnections())

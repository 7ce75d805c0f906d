// Asks the greeter by its name and passes the answer on.
import { createServer } from 'node:http'

const server = createServer((request, response) => {
  fetch(`http://greeter${new URL(request.url ?? '/', 'http://web').search}`)
    .then(async (greeting) => response.writeHead(greeting.status).end(`web heard: ${await greeting.text()}`))
    .catch((error: unknown) => response.writeHead(502).end(`${String(error)}\n`))
})
server.listen(Number(process.env['PORT'] ?? 9021), '127.0.0.1')
process.once('SIGTERM', () => server.close(() => process.exit(0)).closeIdleConnections())

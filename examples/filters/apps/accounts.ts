// Answers with an account of the tenant that it is told, secrets and all.
import { createServer } from 'node:http'

const server = createServer((request, response) => {
  const tenant = request.headers['x-tenant'] ?? null
  response.setHeader('content-type', 'application/json')
  response.end(`${JSON.stringify({ tenant, name: 'Ada', card: '4111 1111 1111 1111' })}\n`)
})
server.listen(Number(process.env['PORT'] ?? 9040), '127.0.0.1')
process.once('SIGTERM', () => server.close(() => process.exit(0)).closeIdleConnections())

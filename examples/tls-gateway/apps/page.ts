// Shows what arrived: which application, which path, which headers.
import { createServer } from 'node:http'

const server = createServer((request, response) => {
  const { method, url: path, headers } = request
  response.writeHead(200, { 'content-type': 'application/json', 'x-powered-by': 'looms' })
  response.end(`${JSON.stringify({ app: process.env['APP'], method, path, headers })}\n`)
})
server.listen(Number(process.env['PORT'] ?? 9040), '127.0.0.1')
process.once('SIGTERM', () => server.close(() => process.exit(0)).closeIdleConnections())

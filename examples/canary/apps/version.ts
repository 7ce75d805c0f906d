// Says which version it is.
import { createServer } from 'node:http'

const server = createServer((_, response) => response.end(`${process.env['VERSION']}\n`))
server.listen(Number(process.env['PORT'] ?? 9030), '127.0.0.1')
process.once('SIGTERM', () => server.close(() => process.exit(0)).closeIdleConnections())

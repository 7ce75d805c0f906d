// A test application in one of several conditions. Its environment: PORT, CONDITION (well, hung: never answers, failing: answers 503).
import { createServer } from 'node:http'

if (import.meta.main) {
  const { PORT, CONDITION = 'well' } = process.env
  const server = createServer((request, response) => {
    request.resume()
    if (CONDITION === 'hung') return
    setTimeout(() => response.writeHead(CONDITION === 'failing' ? 503 : 200).end(`${process.pid}\n`), 5)
  })
  server.listen(Number(PORT), '127.0.0.1')
  process.once('SIGTERM', () => {
    server.close()
    server.closeAllConnections()
  })
}

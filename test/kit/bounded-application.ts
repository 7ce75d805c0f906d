// A test application that works on WORKERS requests at once, each for SERVICE_MS, and keeps the others in a queue for as long as it takes,
// also when nobody waits for the answer any more. Its environment: PORT, WORKERS, SERVICE_MS.
import { createServer, type ServerResponse } from 'node:http'

if (import.meta.main) {
  const { PORT, WORKERS, SERVICE_MS } = process.env
  const waiting: ServerResponse[] = []
  let working = 0
  const work = (): void => {
    while (working < Number(WORKERS)) {
      const response = waiting.shift()
      if (response === undefined) return
      working++
      setTimeout(() => {
        working--
        response.end('done\n')
        work()
      }, Number(SERVICE_MS))
    }
  }
  const server = createServer((request, response) => {
    request.resume()
    waiting.push(response)
    work()
  })
  server.listen(Number(PORT), '127.0.0.1')
  process.once('SIGTERM', () => {
    server.close()
    server.closeAllConnections()
  })
}

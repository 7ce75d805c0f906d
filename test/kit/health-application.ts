// A test application that says how it is: GET /healthz answers with the status that was last PUT as its path (/healthz/503), 200 at first;
// everything else with its name. Its environment: PORT, NAME.
import { createServer, type Server } from 'node:http'

export interface HealthApplication {
  readonly server: Server
  /** Of /healthz. */
  status: number
}

export function healthApplication(name: string): HealthApplication {
  const server = createServer((request, response) => {
    request.resume()
    const { method, url = '/' } = request
    if (method === 'PUT') own.status = Number(url.split('/').at(-1))
    if (url === '/healthz') response.writeHead(own.status).end()
    else response.end(name)
  })
  const own: HealthApplication = { server, status: 200 }
  return own
}

if (import.meta.main) {
  const { PORT, NAME = '' } = process.env
  const { server } = healthApplication(NAME)
  server.listen(Number(PORT), '127.0.0.1')
  process.once('SIGTERM', () => {
    server.close()
    server.closeAllConnections()
  })
}

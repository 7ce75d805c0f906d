// A test application that says how it is: GET /healthz answers with the status that was last PUT as its path (/healthz/503), 200 at first, and GET
// /alive likewise; /pid with its process id, everything else with its name. Its environment: PORT, NAME.
import { createServer, type Server } from 'node:http'

export interface HealthApplication {
  readonly server: Server
  /** Of /healthz. */
  status: number
  /** Of /alive. */
  aliveStatus: number
}

export function healthApplication(name: string): HealthApplication {
  const server = createServer((request, response) => {
    request.resume()
    const { method, url = '/' } = request
    if (method === 'PUT') own[url.startsWith('/alive') ? 'aliveStatus' : 'status'] = Number(url.split('/').at(-1))
    if (url === '/healthz') response.writeHead(own.status).end()
    else if (url === '/alive') response.writeHead(own.aliveStatus).end()
    else if (url === '/pid') response.end(String(process.pid))
    else response.end(name)
  })
  const own: HealthApplication = { server, status: 200, aliveStatus: 200 }
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

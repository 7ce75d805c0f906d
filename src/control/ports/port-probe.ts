// Whether a TCP port can be listened on right now: the only honest way to know is to do it.
import { createServer } from 'node:net'

/** True: free. Nothing keeps it free after the answer. */
export type PortProbe = (host: string, port: number) => Promise<boolean>

export const probePort: PortProbe = (host, port) =>
  new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)))
  })

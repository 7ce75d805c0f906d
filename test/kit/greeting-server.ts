// A server that speaks first, as mail servers and databases do: "220 <name>", and then what it is told.
import { createServer, type Server, type Socket } from 'node:net'

export function greetingServer(name: string): Server {
  return createServer((socket: Socket) => {
    socket.on('error', () => {}).write(`220 ${name}\r\n`)
    socket.pipe(socket)
  })
}

export async function listenOn(port: number, server: Server): Promise<Server> {
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return server
}

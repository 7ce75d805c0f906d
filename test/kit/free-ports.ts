// Ports of 127.0.0.1 for servers of a test, below those that the kernel gives to outgoing connections.
import { connect, createServer } from 'node:net'

const first = 10_000
const count = 10_000

/** Different from each other; nothing keeps them free after the answer. */
export async function freePorts(wanted: number): Promise<number[]> {
  const found = new Set<number>()
  while (found.size < wanted) {
    const port = first + Math.floor(Math.random() * count)
    if (await isFree(port)) found.add(port)
  }
  return [...found]
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

export function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}

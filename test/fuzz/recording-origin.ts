// An application that keeps every byte it gets, per connection, and answers each complete request with what it read.
import { createServer, type Server, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'

import { readRequests } from './strict-reader.ts'

export interface RecordingOrigin {
  readonly port: number
  /** Latin-1, by connection, since `forget`. */
  received(): readonly string[]
  /** What was not well-formed. */
  readonly problems: string[]
  /** Drops what was received of complete requests. */
  forget(): void
  close(): void
}

export async function startRecordingOrigin(): Promise<RecordingOrigin> {
  let connections: { text: string; answered: number }[] = []
  const problems: string[] = []
  const server: Server = createServer((socket: Socket) => {
    const mine = { text: '', answered: 0 }
    connections.push(mine)
    socket.on('error', () => {})
    socket.on('close', () => (mine.text === '' ? (connections = connections.filter((one) => one !== mine)) : undefined))
    socket.on('data', (bytes) => {
      if (!connections.includes(mine)) connections.push(mine)
      mine.text += bytes.toString('latin1')
      try {
        const { requests } = readRequests(mine.text)
        for (const { method, target, body } of requests.slice(mine.answered)) {
          const text = `${method} ${target} ${body.length}`
          socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${method === 'HEAD' ? '' : text}`)
        }
        mine.answered = requests.length
      } catch (error) {
        problems.push((error as Error).message)
        socket.destroy()
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    received: () => connections.map(({ text }) => text).filter((text) => text !== ''),
    problems,
    forget() {
      for (const one of connections) {
        one.text = ''
        one.answered = 0
      }
    },
    close: () => server.close(),
  }
}

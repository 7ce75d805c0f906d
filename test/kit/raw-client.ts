// A client that says exactly the bytes it is told to, for what no HTTP client would send.
import { connect, type Socket } from 'node:net'

export interface RawClient {
  readonly socket: Socket
  /** All received so far, as Latin-1. */
  received(): string
  write(text: string | Uint8Array): void
  /** Resolves when what was received contains `text`. */
  waitFor(text: string): Promise<string>
  /** Resolves with everything received once the peer has closed. */
  closed(): Promise<string>
}

export async function rawClient(port: number): Promise<RawClient> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen: true })
  const chunks: Buffer[] = []
  let watchers: (() => void)[] = []
  let over = false
  const changed = (): void => {
    for (const watcher of watchers) watcher()
  }
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    changed()
  })
  socket.on('error', () => {})
  for (const event of ['end', 'close']) {
    socket.on(event, () => {
      over = true
      changed()
    })
  }
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  const received = (): string => Buffer.concat(chunks).toString('latin1')
  const when = (what: string, holds: () => boolean): Promise<string> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no ${what} in: ${received().slice(0, 2000)}`)), 5_000)
      const look = (): void => {
        if (!holds()) return
        watchers = watchers.filter((watcher) => watcher !== look)
        clearTimeout(timer)
        resolve(received())
      }
      watchers.push(look)
      look()
    })
  return {
    socket,
    received,
    write: (text) => socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text),
    waitFor: (text) => when(JSON.stringify(text), () => received().includes(text)),
    closed: () => when('end of connection', () => over),
  }
}

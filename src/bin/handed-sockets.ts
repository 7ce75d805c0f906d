// Where a proxy's listening sockets come from: whoever started it opens them and hands them over; without such a parent, or where that
// cannot, the proxy opens them itself.
import type { ProxyMessage, SocketAddress, SupervisorMessage } from '../contracts/bootstrap.ts'
import type { IoBackend, ListeningHandle } from '../proxy/io/connection.ts'

export interface HandedSockets {
  /** Undefined: open it yourself. Rejects with the system's error (EADDRINUSE). */
  open(address: SocketAddress): Promise<ListeningHandle | undefined>
  /** Nothing is accepted there any more. */
  close(address: SocketAddress): void
}

export const noSockets: HandedSockets = { open: () => Promise.resolve(undefined), close: () => {} }

export class ChannelSockets implements HandedSockets {
  readonly #tell: (message: ProxyMessage) => void
  readonly #waiting = new Map<number, PromiseWithResolvers<ListeningHandle | undefined>>()
  #requests = 0

  constructor(tell: (message: ProxyMessage) => void) {
    this.#tell = tell
  }

  open({ host, port, share }: SocketAddress): Promise<ListeningHandle | undefined> {
    const answer = Promise.withResolvers<ListeningHandle | undefined>()
    const request = this.#requests++
    this.#waiting.set(request, answer)
    this.#tell({ type: 'open', request, host, port, ...(share === undefined ? {} : { share }) })
    return answer.promise
  }

  close({ host, port, share }: SocketAddress): void {
    this.#tell({ type: 'close', host, port, ...(share === undefined ? {} : { share }) })
  }

  received(
    { request, error }: Extract<SupervisorMessage, { type: 'socket' }>,
    handle: ListeningHandle | undefined,
  ): void {
    const answer = this.#waiting.get(request)
    this.#waiting.delete(request)
    if (error === undefined) answer?.resolve(handle)
    else answer?.reject(Object.assign(new Error(error.message), { code: error.code }))
  }
}

/** The same back end; its listeners accept on handed sockets. `shared`: other workers accept on the same ports. */
export function listenOnHanded(io: IoBackend, sockets: HandedSockets, shared: boolean): IoBackend {
  return {
    name: io.name,
    connect: (options) => io.connect(options),
    secure: (connection, head, tls, timeoutMs) => io.secure(connection, head, tls, timeoutMs),
    async listen(where, onConnection, options) {
      if ('fd' in where) return io.listen(where, onConnection, options)
      const socket = await onHanded(sockets, where, (handle) =>
        io.listen(handle ?? where, onConnection, { reusePort: shared }),
      )
      return {
        address: socket.address,
        handle: socket.handle,
        async close() {
          const closed = socket.close()
          // not when the last connection has ended: callers would queue at a socket that nobody accepts from
          sockets.close(where)
          await closed
        },
      }
    },
  }
}

/** Gives the socket back when `listen` fails. */
export async function onHanded<T>(
  sockets: HandedSockets,
  address: SocketAddress,
  listen: (handle: ListeningHandle | undefined) => Promise<T>,
): Promise<T> {
  const handle = await sockets.open(address)
  try {
    return await listen(handle)
  } catch (error) {
    sockets.close(address)
    throw error
  }
}

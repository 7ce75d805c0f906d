// The I/O back end on the runtime's own handles: no streams, no events, no memory but what is being written.
import { lookup } from 'node:dns/promises'
import { isIP, isIPv6 } from 'node:net'

import type { Clock } from '../../core/clock.ts'
import type { AddressOut, StreamBindings, TcpHandle } from '../../core/stream-bindings.ts'
import type {
  ClientTls,
  ConnectOptions,
  Connection,
  IoBackend,
  ListenAddress,
  ListeningHandle,
  ListenOptions,
  ServerSocket,
} from './connection.ts'
import { RawConnection, RawIo } from './raw-connection.ts'
import { startClient, startServer } from './raw-handshake.ts'
import { systemError } from './system-error.ts'

const backlog = 4_096

export function createRawBackend(clock: Clock, bindings: StreamBindings): IoBackend {
  const io = new RawIo(bindings)
  return {
    name: 'raw',
    listen: (where, onConnection, options) => listen(io, where, onConnection, options),
    connect: (options) => connect(io, clock, options),
    async secure(connection, head, tls, timeoutMs): Promise<Connection> {
      if (!(connection instanceof RawConnection)) throw new TypeError('not a connection of this back end')
      await startServer(io, connection, head, tls, { clock, timeoutMs })
      return connection
    },
  }
}

async function listen(
  io: RawIo,
  where: ListenAddress | ListeningHandle,
  onConnection: (connection: Connection) => void,
  { reusePort = false }: ListenOptions = {},
): Promise<ServerSocket> {
  const handle = 'fd' in where ? inherit(io, where) : await bind(io, where, reusePort)
  // Connections have it from the socket that they are accepted from.
  handle.setNoDelay(true)
  handle.onconnection = (status, accepted) => {
    // An error concerns one accept (EMFILE); the listener goes on.
    if (status === 0 && accepted !== undefined) onConnection(new RawConnection(io, accepted))
  }
  const status = handle.listen(backlog)
  if (status !== 0) {
    handle.close()
    throw systemError(status, 'listen', 'fd' in where ? '' : `${where.host}:${where.port}`)
  }
  const bound: AddressOut = {}
  handle.getsockname(bound)
  let closing: Promise<void> | undefined
  return {
    address: { host: bound.address ?? '', port: bound.port ?? 0 },
    handle,
    close: () => (closing ??= new Promise((resolve) => handle.close(() => resolve()))),
  }
}

function inherit({ bindings }: RawIo, where: ListeningHandle): TcpHandle {
  if (where instanceof bindings.TCP) return where
  const handle = new bindings.TCP(bindings.tcpConstants.SERVER)
  const status = handle.open(where.fd)
  if (status !== 0) throw systemError(status, 'open')
  return handle
}

async function bind({ bindings }: RawIo, { host, port }: ListenAddress, reusePort: boolean): Promise<TcpHandle> {
  const [address] = await addressesOf(host)
  const handle = new bindings.TCP(bindings.tcpConstants.SERVER)
  const flags = reusePort ? (bindings.tcpConstants.UV_TCP_REUSEPORT ?? 0) : 0
  const status = isIPv6(address) ? handle.bind6(address, port, flags) : handle.bind(address, port, flags)
  if (status === 0) return handle
  handle.close()
  throw systemError(status, 'bind', `${host}:${port}`)
}

async function addressesOf(host: string): Promise<[string, ...string[]]> {
  if (isIP(host) !== 0) return [host]
  const found = await lookup(host, { all: true })
  return found.map(({ address }) => address) as [string, ...string[]]
}

async function connect(io: RawIo, clock: Clock, options: ConnectOptions): Promise<Connection> {
  const { host, port, timeoutMs, tls } = options
  const attempt = new Attempt(clock)
  const timer = clock.setTimer(timeoutMs, () =>
    attempt.giveUp(new Error(`no connection to ${host}:${port} within ${timeoutMs} ms`)),
  )
  try {
    return await Promise.race([attempt.givenUp, attempt.open(io, host, port, tls)])
  } finally {
    timer.cancel()
  }
}

/** One connection on its way, which may be given up at any time. */
class Attempt {
  readonly givenUp: Promise<never>
  readonly #clock: Clock
  #connection: RawConnection | undefined
  #over = false
  #reject: (error: Error) => void = () => {}

  constructor(clock: Clock) {
    this.#clock = clock
    this.givenUp = new Promise<never>((_, reject) => (this.#reject = reject))
    this.givenUp.catch(() => {})
  }

  giveUp(error: Error): void {
    this.#over = true
    this.#reject(error)
    this.#connection?.destroy()
  }

  /** The first address that answers; the last one's error when none does. */
  async open(io: RawIo, host: string, port: number, tls: ClientTls | undefined): Promise<Connection> {
    let failure: unknown
    for (const address of await addressesOf(host)) {
      if (this.#over) break
      const tcp = new io.bindings.TCP(io.bindings.tcpConstants.SOCKET)
      const connection = (this.#connection = new RawConnection(io, tcp))
      try {
        await opened(io, tcp, address, port)
      } catch (error) {
        connection.destroy()
        failure = error
        continue
      }
      tcp.setNoDelay(true)
      if (tls !== undefined) await startClient(io, connection, tls, this.#clock)
      return connection
    }
    throw failure
  }
}

function opened({ bindings }: RawIo, tcp: TcpHandle, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new bindings.TCPConnectWrap()
    const settle = (status: number): void => {
      if (status === 0) resolve()
      else reject(systemError(status, 'connect', `${address}:${port}`))
    }
    request.oncomplete = settle
    const status = isIPv6(address) ? tcp.connect6(request, address, port) : tcp.connect(request, address, port)
    if (status !== 0) settle(status)
  })
}

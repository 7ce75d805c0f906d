// A TCP socket that has an address and is not listened on: another process gets it and does that.
import { isIP } from 'node:net'
import { getSystemErrorName } from 'node:util'

/** What `process.send(message, handle)` takes. */
export interface BoundSocket {
  close(): void
}

interface RawTcp extends BoundSocket {
  bind(host: string, port: number, flags: number): number
  bind6(host: string, port: number, flags: number): number
  getsockname(out: object): number
}

interface TcpBinding {
  readonly TCP: new (kind: number) => RawTcp
  readonly constants: { readonly SERVER: number; readonly UV_TCP_REUSEPORT?: number }
}

const tcp = loadBinding()

/** False where the runtime does not give such sockets. */
export const canBindSockets: boolean = tcp !== undefined

/**
 * `host` is an IP address. With `shared` several sockets have the same address, and the kernel spreads the connections. Throws the system's
 * error (EADDRINUSE, EACCES).
 */
export function bindSocket(host: string, port: number, shared: boolean): BoundSocket {
  if (tcp === undefined) throw new Error('this runtime gives no sockets')
  const { SERVER, UV_TCP_REUSEPORT } = tcp.constants
  if (shared && UV_TCP_REUSEPORT === undefined) throw new Error('this runtime shares no ports: Node.js 24 does')
  const flags = shared ? (UV_TCP_REUSEPORT as number) : 0
  const socket = new tcp.TCP(SERVER)
  const bound = isIP(host) === 6 ? socket.bind6(host, port, flags) : socket.bind(host, port, flags)
  // libuv keeps EADDRINUSE back until the next use: only a socket that has a name is bound
  const status = bound === 0 ? socket.getsockname({}) : bound
  if (status === 0) return socket
  socket.close()
  const code = getSystemErrorName(status)
  throw Object.assign(new Error(`bind ${code} ${host}:${port}`), { code })
}

function loadBinding(): TcpBinding | undefined {
  try {
    // no public API binds without listening
    return (process as unknown as { binding(name: string): unknown }).binding('tcp_wrap') as TcpBinding
  } catch {
    return undefined
  }
}

// The listening sockets of a proxy, kept open by whoever started it: between two processes, callers wait in the queue of the kernel.
import { isIP } from 'node:net'

import type { ProxyMessage, SocketAddress, SocketError, SupervisorMessage } from '../../contracts/bootstrap.ts'
import { bindSocket, canBindSockets, type BoundSocket } from '../../core/bound-socket.ts'
import { errorCode, errorMessage } from '../../core/errors.ts'

interface KeptSocket {
  readonly socket: BoundSocket
  /** Process ids of the proxies that accept on it. */
  readonly users: Set<number>
}

export class KeptSockets {
  readonly #sockets = new Map<string, KeptSocket>()

  /** The socket, opened when nobody has it yet; undefined when the proxy has to open it itself. Throws the system's error. */
  open(user: number, address: SocketAddress): BoundSocket | undefined {
    const { host, port, share } = address
    if (!canBindSockets || isIP(host) === 0 || port === 0) return undefined
    const key = keyOf(address)
    const kept = this.#sockets.get(key) ?? { socket: bindSocket(host, port, share !== undefined), users: new Set() }
    kept.users.add(user)
    this.#sockets.set(key, kept)
    return kept.socket
  }

  /** It is closed when nobody else accepts on it. */
  close(user: number, address: SocketAddress): void {
    const key = keyOf(address)
    const kept = this.#sockets.get(key)
    if (kept?.users.delete(user) === true && kept.users.size === 0) this.#drop(key, kept)
  }

  /** That process is gone. Its sockets stay open for the next one. */
  leave(user: number): void {
    for (const { users } of this.#sockets.values()) users.delete(user)
  }

  /** Closes what nobody came back for. */
  closeUnused(): void {
    for (const [key, kept] of this.#sockets) if (kept.users.size === 0) this.#drop(key, kept)
  }

  closeAll(): void {
    for (const [key, kept] of this.#sockets) this.#drop(key, kept)
  }

  #drop(key: string, { socket }: KeptSocket): void {
    this.#sockets.delete(key)
    socket.close()
  }
}

/** What a proxy that wants a socket is answered, and the socket that goes with it. */
export function answerOpen(
  sockets: KeptSockets,
  user: number,
  message: Extract<ProxyMessage, { type: 'open' }>,
): [SupervisorMessage, BoundSocket | undefined] {
  const answer = { type: 'socket', request: message.request } as const
  try {
    return [answer, sockets.open(user, message)]
  } catch (error) {
    return [{ ...answer, error: socketError(error) }, undefined]
  }
}

export function socketError(error: unknown): SocketError {
  return { code: errorCode(error) ?? '', message: errorMessage(error) }
}

function keyOf({ host, port, share }: SocketAddress): string {
  return `${host} ${port} ${share ?? ''}`
}

// Lets no connection through whose peer shows a certificate that is revoked, and ends those that are open when it comes to be: whoever dialled or
// accepted them, and whatever they carry.
import type { Watchable } from '../../core/watchable.ts'
import type { Connection, IoBackend } from './connection.ts'

/** Certificates that verify and are refused all the same. */
export interface RevokedSvids {
  /** Grows with every change. */
  readonly version: number
  /** By SPIFFE ID: those whose validity began then or before, milliseconds since the Unix epoch. */
  readonly notBeforeMs: Readonly<Record<string, number>>
}

export interface PeerWatch {
  /** To be used in place of the back end that is watched. */
  readonly io: IoBackend
  stop(): void
}

export function watchPeers(io: IoBackend, revoked: Watchable<RevokedSvids>): PeerWatch {
  const open = new OpenPeers(revoked)
  return {
    io: {
      name: io.name,
      listen: (where, onConnection, options) => io.listen(where, onConnection, options),
      connect: async (options) => open.add(await io.connect(options)),
      secure: async (connection, head, tls, timeoutMs) => open.add(await io.secure(connection, head, tls, timeoutMs)),
    },
    stop: revoked.subscribe(() => open.check()),
  }
}

const leastSwept = 64

class OpenPeers {
  readonly #revoked: Watchable<RevokedSvids>
  /** Weak, for nobody tells when one has closed; swept as the set grows. */
  readonly #connections = new Set<WeakRef<Connection>>()
  #sweptAt = leastSwept

  constructor(revoked: Watchable<RevokedSvids>) {
    this.#revoked = revoked
  }

  /** Throws, and has closed the connection, when its peer's certificate is revoked. */
  add(connection: Connection): Connection {
    if (connection.tls?.peerSpiffeId === undefined) return connection
    if (this.#endIfRevoked(connection)) throw new Error(reasonOf(connection))
    if (this.#connections.size >= this.#sweptAt) this.#sweep()
    this.#connections.add(new WeakRef(connection))
    return connection
  }

  check(): void {
    for (const reference of this.#connections) {
      const connection = reference.deref()
      if (connection?.closed !== false || this.#endIfRevoked(connection)) this.#connections.delete(reference)
    }
  }

  #endIfRevoked(connection: Connection): boolean {
    const { peerSpiffeId, peerNotBeforeMs } = connection.tls ?? {}
    if (peerSpiffeId === undefined || peerNotBeforeMs === undefined) return false
    const upToMs = this.#revoked.value.notBeforeMs[peerSpiffeId]
    if (upToMs === undefined || peerNotBeforeMs > upToMs) return false
    connection.destroy(new Error(reasonOf(connection)))
    return true
  }

  #sweep(): void {
    for (const reference of this.#connections) {
      if (reference.deref()?.closed !== false) this.#connections.delete(reference)
    }
    this.#sweptAt = Math.max(leastSwept, 2 * this.#connections.size)
  }
}

function reasonOf({ tls }: Connection): string {
  return `the certificate of ${tls?.peerSpiffeId} was revoked`
}

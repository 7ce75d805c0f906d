// The connections to one endpoint: idle ones are used again, newest first; new ones are opened as needed; callers queue when all are busy.
import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import { Http1ClientConnection } from '../codec/http1/client-connection.ts'
import type { Connection } from '../io/connection.ts'
import { MovingDeadline } from '../io/moving-deadline.ts'

export interface PoolOptions {
  readonly clock: Clock
  /** Rejects on refusal, timeout, or a peer that is not who it should be. */
  connect(): Promise<Connection>
  readonly observer: PoolObserver
}

export interface PoolObserver {
  opened(): void
  closed(): void
  connectFailed(): void
}

/** Who waits for a connection. Called at most once, possibly within `acquire`. */
export interface Waiter {
  /** `reused`: it has served others before, so the peer may be closing it at this moment. */
  connectionReady(connection: Http1ClientConnection, reused: boolean): void
  connectionFailed(kind: 'connect-failure' | 'overflow', message: string): void
}

export const poolLimits = {
  connections: 1024,
  /** Callers waiting for a connection. */
  pending: 1024,
  /** Shorter than any proxy's own patience, so that we end the connection and not the peer. */
  idleMs: 55_000,
  /** Told "Keep-Alive: timeout=5", we use the connection for so much less. */
  keepAliveMarginMs: 1_000,
} as const

interface IdleConnection {
  readonly client: Http1ClientConnection
  readonly expiresMs: number
}

export class EndpointPool {
  readonly #options: PoolOptions
  readonly #idle: IdleConnection[] = []
  readonly #clients = new Set<Http1ClientConnection>()
  readonly #waiting = new Set<Waiter>()
  readonly #sweep: MovingDeadline
  #connecting = 0
  #draining = false

  constructor(options: PoolOptions) {
    this.#options = options
    this.#sweep = new MovingDeadline(options.clock, () => this.#closeExpired())
  }

  get counts(): {
    readonly open: number
    readonly idle: number
    readonly connecting: number
    readonly pending: number
  } {
    return {
      open: this.#clients.size,
      idle: this.#idle.length,
      connecting: this.#connecting,
      pending: this.#waiting.size,
    }
  }

  acquire(waiter: Waiter): void {
    const client = this.#takeIdle()
    if (client !== undefined) {
      waiter.connectionReady(client, true)
      return
    }
    if (this.#waiting.size >= poolLimits.pending) {
      waiter.connectionFailed('overflow', `${poolLimits.pending} requests are already waiting for a connection`)
      return
    }
    this.#waiting.add(waiter)
    if (this.#clients.size + this.#connecting < poolLimits.connections) void this.#open()
  }

  /** Takes a waiter back; its connection, if one is being opened, will serve another. */
  cancel(waiter: Waiter): void {
    this.#waiting.delete(waiter)
  }

  /** No longer used for new requests: idle connections end now, the others after their request. */
  drain(): void {
    this.#draining = true
    this.#sweep.cancel()
    for (const { client } of this.#idle.splice(0)) client.close()
  }

  async #open(): Promise<void> {
    this.#connecting++
    let connection: Connection
    try {
      connection = await this.#options.connect()
    } catch (error) {
      this.#connectFailed(errorMessage(error))
      return
    }
    if (this.#expired(connection)) {
      // Waiting for another would be for ever: it would be no better.
      connection.destroy()
      this.#connectFailed('a certificate of the two sides has expired')
      return
    }
    this.#connecting--
    this.#options.observer.opened()
    const client: Http1ClientConnection = new Http1ClientConnection(connection, {
      onIdle: () => this.#release(client),
      onClosed: () => this.#forget(client),
    })
    this.#clients.add(client)
    this.#release(client)
  }

  #connectFailed(reason: string): void {
    this.#connecting--
    this.#options.observer.connectFailed()
    const [waiter] = this.#waiting
    if (waiter === undefined) return
    this.#waiting.delete(waiter)
    waiter.connectionFailed('connect-failure', reason)
  }

  #release(client: Http1ClientConnection): void {
    const [waiter] = this.#waiting
    if (!this.#usable(client)) {
      client.close()
    } else if (waiter !== undefined) {
      this.#waiting.delete(waiter)
      waiter.connectionReady(client, client.requestsSent > 0)
    } else if (this.#draining) {
      client.close()
    } else {
      this.#keep(client)
    }
  }

  #keep(client: Http1ClientConnection): void {
    const { idleMs, keepAliveMarginMs } = poolLimits
    const hintMs = client.keepAliveSeconds === undefined ? idleMs : client.keepAliveSeconds * 1000 - keepAliveMarginMs
    const keptMs = Math.min(idleMs, hintMs)
    if (keptMs <= 0) {
      client.close()
      return
    }
    this.#idle.push({ client, expiresMs: this.#options.clock.monotonicMs() + keptMs })
    if (this.#idle.length === 1) this.#sweep.set(keptMs)
  }

  #takeIdle(): Http1ClientConnection | undefined {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      const { client, expiresMs } = idle
      if (!client.closed && expiresMs > this.#options.clock.monotonicMs() && this.#usable(client)) return client
      client.close()
    }
    return undefined
  }

  /** Not beyond the life of the certificates that it was opened with. */
  #usable(client: Http1ClientConnection): boolean {
    return !client.closed && !this.#expired(client.connection)
  }

  #expired({ tls }: Connection): boolean {
    return tls !== undefined && tls.notAfterMs <= this.#options.clock.nowMs()
  }

  #forget(client: Http1ClientConnection): void {
    if (!this.#clients.delete(client)) return
    this.#options.observer.closed()
    const index = this.#idle.findIndex((idle) => idle.client === client)
    if (index >= 0) this.#idle.splice(index, 1)
    // A place is free for somebody who waits beyond those that connections are being opened for.
    if (this.#waiting.size > this.#connecting) void this.#open()
  }

  #closeExpired(): void {
    const nowMs = this.#options.clock.monotonicMs()
    const kept = this.#idle.filter((idle) => idle.expiresMs > nowMs)
    const expired = this.#idle.filter((idle) => idle.expiresMs <= nowMs)
    this.#idle.splice(0, this.#idle.length, ...kept)
    for (const { client } of expired) client.close()
    if (kept.length > 0) this.#sweep.set(Math.min(...kept.map((idle) => idle.expiresMs)) - nowMs)
  }
}

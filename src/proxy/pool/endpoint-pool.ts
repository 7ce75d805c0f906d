// The connections to one endpoint: those with room for a request are used again, newest first; new ones are opened as needed; callers queue
// when all are busy. HTTP/1.1 connections have room for one request, HTTP/2 connections for many.
import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { CircuitBreaker } from '../../policies/circuit-breaker/circuit-breaker.runtime.ts'
import type { ClientConnection, ClientConnectionEvents } from '../codec/http-stream.ts'
import type { Connection } from '../io/connection.ts'
import { MovingDeadline } from '../io/moving-deadline.ts'

export interface PoolOptions {
  readonly clock: Clock
  /** Rejects on refusal, timeout, or a peer that is not who it should be. */
  connect(): Promise<Connection>
  /** Speaks what the peer speaks. */
  createClient(connection: Connection, events: ClientConnectionEvents): ClientConnection
  /** One connection is expected to carry many requests: callers wait for it rather than open their own. Corrected by what is met. */
  readonly multiplexed: boolean
  /** Shared with the other endpoints of the cluster. */
  readonly breaker: CircuitBreaker
  readonly observer: PoolObserver
}

export interface PoolObserver {
  opened(): void
  closed(): void
  connectFailed(): void
  /** A request was refused: too many wait already. */
  overflowed(): void
}

/** Who waits for a connection. Called at most once, possibly within `acquire`. */
export interface Waiter {
  /** Sends its request at once. `reused`: it has served others before, so the peer may be closing it at this moment. */
  connectionReady(connection: ClientConnection, reused: boolean): void
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

interface Pooled {
  readonly client: ClientConnection
  /** When it has been idle for too long; Infinity while it is in use. */
  expiresMs: number
  /** In the list of those with room. */
  listed: boolean
  /** Ends with its last request. */
  retired: boolean
}

export class EndpointPool {
  readonly #options: PoolOptions
  readonly #all = new Set<Pooled>()
  /** With room for a request, the newest last. */
  readonly #roomy: Pooled[] = []
  readonly #waiting = new Set<Waiter>()
  readonly #sweep: MovingDeadline
  #multiplexed: boolean
  #connecting = 0
  #draining = false

  constructor(options: PoolOptions) {
    this.#options = options
    this.#multiplexed = options.multiplexed
    this.#sweep = new MovingDeadline(options.clock, () => this.#closeExpired())
  }

  get counts(): {
    readonly open: number
    readonly idle: number
    readonly connecting: number
    readonly pending: number
  } {
    return {
      open: this.#all.size,
      idle: [...this.#all].filter(({ client }) => client.openRequests === 0).length,
      connecting: this.#connecting,
      pending: this.#waiting.size,
    }
  }

  /** `fresh`: a connection that waits here may be as dead as the one before; not asked where one carries many requests. */
  acquire(waiter: Waiter, fresh = false): void {
    const pooled = fresh && !this.#multiplexed ? undefined : this.#newestWithRoom()
    if (pooled !== undefined) {
      this.#hand(pooled, waiter)
      return
    }
    if (this.#waiting.size >= poolLimits.pending || this.#options.breaker.pendingFull) {
      this.#options.observer.overflowed()
      waiter.connectionFailed(
        'overflow',
        `${this.#options.breaker.pending} requests are already waiting for a connection`,
      )
      return
    }
    this.#wait(waiter)
    this.#openAsNeeded()
  }

  /** Takes a waiter back; its connection, if one is being opened, will serve another. */
  cancel(waiter: Waiter): void {
    this.#waitNoMore(waiter)
  }

  /** No longer used for new requests: idle connections end now, the others after their requests. */
  drain(): void {
    this.#draining = true
    this.#sweep.cancel()
    for (const pooled of this.#all) this.#retire(pooled)
  }

  #wait(waiter: Waiter): void {
    this.#waiting.add(waiter)
    this.#options.breaker.pending++
  }

  /** False: it did not wait. */
  #waitNoMore(waiter: Waiter): boolean {
    if (!this.#waiting.delete(waiter)) return false
    this.#options.breaker.pending--
    return true
  }

  #newestWithRoom(): Pooled | undefined {
    for (let pooled = this.#roomy.at(-1); pooled !== undefined; pooled = this.#roomy.at(-1)) {
      if (this.#usable(pooled) && pooled.client.capacity > 0) return pooled
      this.#unlist(pooled)
      if (!this.#usable(pooled)) this.#retire(pooled)
    }
    return undefined
  }

  #hand(pooled: Pooled, waiter: Waiter): void {
    const { client } = pooled
    pooled.expiresMs = Infinity
    waiter.connectionReady(client, client.requestsSent > 0)
    if (client.capacity === 0) this.#unlist(pooled)
  }

  #openAsNeeded(): void {
    const wanted = this.#multiplexed ? Math.min(1, this.#waiting.size) : this.#waiting.size
    const room = Math.min(wanted, poolLimits.connections - this.#all.size)
    // without any connection its requests would wait for ever
    for (let opening = this.#connecting; opening < room; opening++) {
      if (this.#all.size + opening > 0 && this.#options.breaker.connectionsFull) return
      void this.#open()
    }
  }

  async #open(): Promise<void> {
    this.#connecting++
    this.#options.breaker.connections++
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
    const client = this.#options.createClient(connection, {
      onIdle: () => this.#idle(pooled),
      onCapacity: () => this.#release(pooled),
      onClosed: () => this.#forget(pooled),
    })
    const pooled: Pooled = { client, expiresMs: Infinity, listed: false, retired: false }
    this.#multiplexed = client.protocol === 'HTTP/2'
    this.#all.add(pooled)
    this.#idle(pooled)
    this.#release(pooled)
    this.#openAsNeeded()
  }

  #connectFailed(reason: string): void {
    this.#connecting--
    this.#options.breaker.connections--
    this.#options.observer.connectFailed()
    const failed = [...this.#waiting].slice(0, this.#multiplexed ? undefined : 1)
    for (const waiter of failed) {
      // One of them may have taken another back.
      if (this.#waitNoMore(waiter)) waiter.connectionFailed('connect-failure', reason)
    }
  }

  /** It has room, or none any more. */
  #release(pooled: Pooled): void {
    const { client } = pooled
    if (client.capacity === 0) {
      this.#unlist(pooled)
      // For good when it is a connection for many requests: others have to wait for another.
      this.#openAsNeeded()
      return
    }
    if (!this.#usable(pooled)) {
      this.#retire(pooled)
      return
    }
    for (const waiter of this.#waiting) {
      this.#waitNoMore(waiter)
      this.#hand(pooled, waiter)
      if (client.capacity === 0) return
    }
    if (this.#draining) {
      this.#retire(pooled)
    } else if (!pooled.listed) {
      pooled.listed = true
      this.#roomy.push(pooled)
    }
  }

  /** No request is open on it. */
  #idle(pooled: Pooled): void {
    const { client } = pooled
    if (pooled.retired) {
      client.close()
      return
    }
    const { idleMs, keepAliveMarginMs } = poolLimits
    const hintMs = client.keepAliveSeconds === undefined ? idleMs : client.keepAliveSeconds * 1000 - keepAliveMarginMs
    const keptMs = Math.min(idleMs, hintMs)
    pooled.expiresMs = this.#options.clock.monotonicMs() + keptMs
    if (keptMs <= 0) this.#retire(pooled)
    else this.#sweep.setWithin(keptMs)
  }

  /** Not beyond the life of the certificates that it was opened with. */
  #usable({ client, expiresMs, retired }: Pooled): boolean {
    if (client.closed || retired || this.#expired(client.connection)) return false
    return expiresMs === Infinity || expiresMs > this.#options.clock.monotonicMs()
  }

  #expired({ tls }: Connection): boolean {
    return tls !== undefined && tls.notAfterMs <= this.#options.clock.nowMs()
  }

  #retire(pooled: Pooled): void {
    pooled.retired = true
    this.#unlist(pooled)
    if (pooled.client.openRequests === 0) pooled.client.close()
  }

  #unlist(pooled: Pooled): void {
    if (!pooled.listed) return
    pooled.listed = false
    if (this.#roomy.at(-1) === pooled) this.#roomy.pop()
    else this.#roomy.splice(this.#roomy.indexOf(pooled), 1)
  }

  #forget(pooled: Pooled): void {
    if (!this.#all.delete(pooled)) return
    this.#options.breaker.connections--
    this.#options.observer.closed()
    this.#unlist(pooled)
    this.#openAsNeeded()
  }

  #closeExpired(): void {
    const nowMs = this.#options.clock.monotonicMs()
    let nextMs = Infinity
    for (const pooled of this.#all) {
      if (pooled.expiresMs <= nowMs) this.#retire(pooled)
      else nextMs = Math.min(nextMs, pooled.expiresMs)
    }
    if (nextMs !== Infinity) this.#sweep.setWithin(nextMs - nowMs)
  }
}

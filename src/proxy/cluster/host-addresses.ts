// Keeps the addresses of one host name current while its cluster is in use. A failure keeps the last good answer.
import { backoffMs } from '../../core/backoff.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import type { Random } from '../../core/random.ts'

export interface ResolvedHost {
  readonly addresses: readonly string[]
  /** Undefined: not known. */
  readonly ttlMs: number | undefined
}

/** Rejects when there is no answer. */
export type ResolveHost = (host: string) => Promise<ResolvedHost>

export interface HostAddressesDeps {
  readonly clock: Clock
  readonly random: Random
  readonly resolveHost: ResolveHost
}

const refresh = { leastMs: 1_000, mostMs: 300_000, unknownMs: 30_000, jitter: 0.1 } as const
const retryBackoff = { baseMs: 1_000, maxMs: 30_000 }

export class HostAddresses {
  readonly #deps: HostAddressesDeps
  readonly #host: string
  readonly #onChanged: () => void
  #addresses: readonly string[] | undefined
  #used = false
  #resolving = false
  #stopped = false
  #failures = 0
  /** Set while the answer, or the failure, is fresh. */
  #timer: Timer | undefined

  constructor(deps: HostAddressesDeps, host: string, onChanged: () => void) {
    this.#deps = deps
    this.#host = host
    this.#onChanged = onChanged
  }

  /** Undefined before the first answer. Sorted. */
  get addresses(): readonly string[] | undefined {
    return this.#addresses
  }

  /** Called for each request: mostly an assignment. */
  use(): void {
    this.#used = true
    if (this.#timer === undefined && !this.#resolving) void this.#resolve()
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  async #resolve(): Promise<void> {
    this.#resolving = true
    this.#used = false
    const { resolveHost, random } = this.#deps
    let delayMs: number
    let changed = false
    try {
      const { addresses, ttlMs = refresh.unknownMs } = await resolveHost(this.#host)
      if (addresses.length === 0) throw new Error('no addresses')
      const sorted = addresses.toSorted()
      changed = this.#addresses?.join(' ') !== sorted.join(' ')
      this.#addresses = sorted
      this.#failures = 0
      // Proxies that began together do not ask together.
      const bounded = Math.min(Math.max(ttlMs, refresh.leastMs), refresh.mostMs)
      delayMs = bounded * (1 + refresh.jitter * random.next())
    } catch {
      delayMs = refresh.leastMs + backoffMs(retryBackoff, this.#failures++, random)
    }
    this.#resolving = false
    if (this.#stopped) return
    this.#timer = this.#deps.clock.setTimer(delayMs, () => this.#stale())
    if (changed) this.#onChanged()
  }

  /** Unused since it was asked for, it is not asked for again before it is. */
  #stale(): void {
    this.#timer = undefined
    if (this.#used) void this.#resolve()
  }
}

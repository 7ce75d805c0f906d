// Route configurations subscribed because a request named their host: who waits for which, and when each was last used.
import type { Clock } from '../../core/clock.ts'

interface Waiter {
  readonly candidates: readonly string[]
  readonly resolve: (name: string | undefined) => void
}

export interface OnDemandOptions {
  readonly clock: Clock
  /** A name that no request has asked for in this long is unsubscribed, whether it exists or not. */
  readonly idleMs: number
  /** The least recently used make room for more. */
  readonly maxNames: number
  /** How long a request waits for the control plane. */
  readonly timeoutMs: number
}

/** `in-force`: requests can be routed by it. `absent`: does not exist. `pending`: subscribed or not, the answer is not here yet. */
export type NameState = 'in-force' | 'absent' | 'pending'

export class OnDemandNames {
  readonly #options: OnDemandOptions
  readonly #stateOf: (name: string) => NameState
  readonly #onChange: () => void
  /** By name, least recently used first: when it was last asked for, monotonic milliseconds. */
  readonly #usedMs = new Map<string, number>()
  readonly #waiters = new Set<Waiter>()
  #sweeping = false

  constructor(options: OnDemandOptions, stateOf: (name: string) => NameState, onChange: () => void) {
    this.#options = options
    this.#stateOf = stateOf
    this.#onChange = onChange
  }

  get names(): IterableIterator<string> {
    return this.#usedMs.keys()
  }

  /** The answer as far as it is known: a name, null when none of the candidates exists, undefined when that is not known yet. */
  lookup(candidates: readonly string[]): string | null | undefined {
    for (const name of candidates) {
      const state = this.#stateOf(name)
      if (state === 'pending') return undefined
      if (this.#usedMs.has(name)) this.#touch(name)
      if (state === 'in-force') return name
    }
    return null
  }

  /** When the control plane does not answer in time, the first candidate that is in force has to do; rejects when there is none. */
  demand(candidates: readonly string[]): Promise<string | undefined> {
    const known = this.lookup(candidates)
    if (known !== undefined) return Promise.resolve(known ?? undefined)
    const { promise, resolve, reject } = Promise.withResolvers<string | undefined>()
    const { clock, timeoutMs } = this.#options
    const timer = clock.setTimer(timeoutMs, () => {
      this.#waiters.delete(waiter)
      const fallback = candidates.find((name) => this.#stateOf(name) === 'in-force')
      if (fallback !== undefined) resolve(fallback)
      else reject(new Error(`no answer from the control plane within ${timeoutMs} ms about ${candidates.join(', ')}`))
    })
    const waiter: Waiter = {
      candidates,
      resolve: (name) => {
        timer.cancel()
        this.#waiters.delete(waiter)
        resolve(name)
      },
    }
    this.#waiters.add(waiter)
    for (const name of candidates) this.#touch(name)
    this.#makeRoom()
    this.#onChange()
    this.#startSweeping()
    return promise
  }

  /** To be called whenever the state of a name may have changed. */
  settle(): void {
    for (const waiter of this.#waiters) {
      const name = this.lookup(waiter.candidates)
      if (name !== undefined) waiter.resolve(name ?? undefined)
    }
  }

  #touch(name: string): void {
    this.#usedMs.delete(name)
    this.#usedMs.set(name, this.#options.clock.monotonicMs())
  }

  #makeRoom(): void {
    let excess = this.#usedMs.size - this.#options.maxNames
    if (excess <= 0) return
    const waitedFor = this.#waitedFor()
    for (const name of this.#usedMs.keys()) {
      if (waitedFor.has(name)) continue
      this.#usedMs.delete(name)
      if (--excess === 0) return
    }
  }

  #waitedFor(): Set<string> {
    return new Set([...this.#waiters].flatMap(({ candidates }) => candidates))
  }

  #startSweeping(): void {
    if (this.#sweeping) return
    this.#sweeping = true
    const { clock, idleMs } = this.#options
    clock.setTimer(idleMs / 10, () => {
      this.#sweeping = false
      this.#sweep()
      if (this.#usedMs.size > 0) this.#startSweeping()
    })
  }

  #sweep(): void {
    const { clock, idleMs } = this.#options
    const nowMs = clock.monotonicMs()
    const waitedFor = this.#waitedFor()
    const before = this.#usedMs.size
    for (const [name, usedMs] of this.#usedMs) {
      if (nowMs - usedMs >= idleMs && !waitedFor.has(name)) this.#usedMs.delete(name)
    }
    if (this.#usedMs.size !== before) this.#onChange()
  }
}

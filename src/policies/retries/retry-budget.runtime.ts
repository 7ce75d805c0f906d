// How much of a destination's traffic may be retries: without such a bound, retries turn a slow backend into a dead one.
import type { RetryConstraintSpec } from './retries.spec.ts'

/** Each count forgets in so many steps. */
const slots = 10

export class RetryBudget {
  readonly #spec: RetryConstraintSpec
  readonly #requests: RecentCount
  readonly #retries: RecentCount
  readonly #leastRetries: RecentCount

  constructor(spec: RetryConstraintSpec) {
    this.#spec = spec
    this.#requests = new RecentCount(spec.intervalMs)
    this.#retries = new RecentCount(spec.intervalMs)
    this.#leastRetries = new RecentCount(spec.minIntervalMs)
  }

  /** A request begins; its repeats are none. `nowMs`: monotonic. */
  requestStarted(nowMs: number): void {
    this.#requests.add(nowMs)
  }

  /** True: a retry may be made, and is counted. */
  tryRetry(nowMs: number): boolean {
    const { percent, minRetries } = this.#spec
    const within = this.#retries.sum(nowMs) + 1 <= (this.#requests.sum(nowMs) * percent) / 100
    if (!within && this.#leastRetries.sum(nowMs) >= minRetries) return false
    this.#retries.add(nowMs)
    this.#leastRetries.add(nowMs)
    return true
  }
}

/** How many within the last so many milliseconds, to a tenth of them. */
class RecentCount {
  readonly #slotMs: number
  readonly #counts = new Float64Array(slots)
  #slot = 0
  #slotEndsMs = Number.NEGATIVE_INFINITY
  #sum = 0

  constructor(intervalMs: number) {
    this.#slotMs = intervalMs / slots
  }

  add(nowMs: number): void {
    if (nowMs >= this.#slotEndsMs) this.#move(nowMs)
    this.#counts[this.#slot] = (this.#counts[this.#slot] as number) + 1
    this.#sum++
  }

  sum(nowMs: number): number {
    if (nowMs >= this.#slotEndsMs) this.#move(nowMs)
    return this.#sum
  }

  #move(nowMs: number): void {
    const passed = Math.min(slots, Math.floor((nowMs - this.#slotEndsMs) / this.#slotMs) + 1)
    for (let moved = 0; moved < passed; moved++) {
      this.#slot = (this.#slot + 1) % slots
      this.#sum -= this.#counts[this.#slot] as number
      this.#counts[this.#slot] = 0
    }
    this.#slotEndsMs = passed === slots ? nowMs + this.#slotMs : this.#slotEndsMs + passed * this.#slotMs
  }
}

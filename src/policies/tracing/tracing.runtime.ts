// Which requests are told of, as spans and as decision records: those of sampled traces, and of the others those that failed or were slow, as far as a
// budget goes.
import type { Clock } from '../../core/clock.ts'

/** A request that takes so long is slow. */
const slowMs = 1_000
/** So many requests a second that nobody has sampled. */
const keptPerSecond = 10

/** Every hop of a request that fails sees that it does, so that its trace is whole although nobody chose it before. */
export class KeptRequests {
  readonly #clock: Clock
  #tokens = keptPerSecond
  #atMs = -Infinity

  constructor(clock: Clock) {
    this.#clock = clock
  }

  keeps(sampled: boolean, failed: boolean, durationMs: number): boolean {
    if (sampled) return true
    if (!failed && durationMs < slowMs) return false
    const nowMs = this.#clock.monotonicMs()
    this.#tokens = Math.min(keptPerSecond, this.#tokens + ((nowMs - this.#atMs) * keptPerSecond) / 1_000)
    this.#atMs = nowMs
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}

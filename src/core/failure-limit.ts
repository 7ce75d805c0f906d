// How many failures are answered in full within a minute: whoever tries on gets short shrift, and the log stays readable.
import type { Clock } from './clock.ts'

const windowMs = 60_000

export class FailureLimit {
  readonly #clock: Clock
  readonly #most: number
  #windowEndMs = 0
  #failures = 0

  constructor(clock: Clock, most: number) {
    this.#clock = clock
    this.#most = most
  }

  /** Counts one; milliseconds until the limit is lifted, or undefined below it. */
  failed(): number | undefined {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs >= this.#windowEndMs) {
      this.#windowEndMs = nowMs + windowMs
      this.#failures = 0
    }
    return ++this.#failures > this.#most ? this.#windowEndMs - nowMs : undefined
  }
}

// A deadline that moves often and is seldom met: moving it is an assignment, not a new timer.
import type { Clock, Timer } from '../../core/clock.ts'

export class MovingDeadline {
  readonly #clock: Clock
  readonly #onExpired: () => void
  #atMs = Infinity
  #timer: Timer | undefined
  #timerAtMs = Infinity

  constructor(clock: Clock, onExpired: () => void) {
    this.#clock = clock
    this.#onExpired = onExpired
  }

  set(delayMs: number): void {
    this.#atMs = this.#clock.monotonicMs() + delayMs
    if (this.#timerAtMs > this.#atMs) this.#arm()
  }

  /** As `set`, unless it is nearer already. */
  setWithin(delayMs: number): void {
    if (this.#atMs === Infinity || this.#clock.monotonicMs() + delayMs < this.#atMs) this.set(delayMs)
  }

  clear(): void {
    this.#atMs = Infinity
  }

  /** Clears, and lets go of the timer. */
  cancel(): void {
    this.#atMs = Infinity
    this.#timer?.cancel()
    this.#timer = undefined
    this.#timerAtMs = Infinity
  }

  #arm(): void {
    this.#timer?.cancel()
    this.#timerAtMs = this.#atMs
    this.#timer = this.#clock.setTimer(Math.max(0, this.#atMs - this.#clock.monotonicMs()), this.#onTimer)
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined
    this.#timerAtMs = Infinity
    if (this.#atMs === Infinity) return
    // System timers round down: half a millisecond early is on time.
    if (this.#atMs - this.#clock.monotonicMs() > 0.5) {
      this.#arm()
      return
    }
    this.#atMs = Infinity
    this.#onExpired()
  }
}

// Counts what a peer can make this side do for nothing, against what it got done in the same time.
import type { Clock } from '../../../core/clock.ts'
import { ConnectionError, errorCodes } from './frames.ts'

/** Counters start anew after this time at the earliest, and only when a bound is met: no clock is read before. */
const windowMs = 10_000
/** Frames that carry nothing: PING, WINDOW_UPDATE, PRIORITY, empty DATA, unknown types. */
const idleFrames = 2_000
const idleFramesForUseful = 10
const settingsFrames = 100
/** Streams that the peer opened and broke, before it does so more often than it lets one end. */
const resets = 500

export class FloodGuard {
  /** HEADERS and DATA with something in it, either way. */
  useful = 0
  /** Streams that ended well. */
  completed = 0
  readonly #clock: Clock
  #sinceMs: number
  #idle = 0
  #settings = 0
  #resets = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#sinceMs = clock.monotonicMs()
  }

  idleFrame(): void {
    if (++this.#idle > idleFrames + idleFramesForUseful * this.useful) this.#overrun('frames that carry nothing')
  }

  settingsFrame(): void {
    if (++this.#settings > settingsFrames) this.#overrun('SETTINGS frames')
  }

  /** The peer broke a stream, or made this side break it. */
  reset(): void {
    if (++this.#resets > resets + this.completed) this.#overrun('streams opened and reset')
  }

  #overrun(what: string): void {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#sinceMs < windowMs) throw new ConnectionError(errorCodes.enhanceYourCalm, `too many ${what}`)
    this.#sinceMs = nowMs
    this.useful = 0
    this.completed = 0
    this.#idle = 0
    this.#settings = 0
    this.#resets = 0
  }
}

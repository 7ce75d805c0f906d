// Many deadlines of which few are ever met: one timer for all of them, and nothing but links to set and clear one.
import type { Clock, Timer } from './clock.ts'

/** Is in at most one list. */
export abstract class Deadlined {
  /** On the clock's monotonic time. */
  deadlineMs: number = Infinity
  earlier: Deadlined | undefined = undefined
  later: Deadlined | undefined = undefined
  listed: boolean = false
  /** Called once, when the deadline has passed; it is off the list then. */
  abstract expired(): void
}

export class DeadlineList {
  readonly #clock: Clock
  #last: Deadlined | undefined
  #timer: Timer | undefined
  #timerAtMs = Infinity

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(item: Deadlined, deadlineMs: number): void {
    item.deadlineMs = deadlineMs
    item.listed = true
    item.earlier = this.#last
    if (this.#last !== undefined) this.#last.later = item
    this.#last = item
    if (deadlineMs < this.#timerAtMs) this.#arm(deadlineMs)
  }

  remove(item: Deadlined): void {
    if (!item.listed) return
    item.listed = false
    const { earlier, later } = item
    if (later === undefined) this.#last = earlier
    else later.earlier = earlier
    if (earlier !== undefined) earlier.later = later
    item.earlier = undefined
    item.later = undefined
  }

  #arm(atMs: number): void {
    this.#timer?.cancel()
    this.#timerAtMs = atMs
    this.#timer = this.#clock.setTimer(Math.max(0, atMs - this.#clock.monotonicMs()), () => this.#sweep())
  }

  /** Items that are gone meanwhile have left the timer behind: it looks for the nearest of those that are there. */
  #sweep(): void {
    this.#timer = undefined
    this.#timerAtMs = Infinity
    // System timers round down: half a millisecond early is on time.
    const nowMs = this.#clock.monotonicMs() + 0.5
    const expired: Deadlined[] = []
    let nextMs = Infinity
    for (let item = this.#last; item !== undefined; item = item.earlier) {
      if (item.deadlineMs <= nowMs) expired.push(item)
      else nextMs = Math.min(nextMs, item.deadlineMs)
    }
    if (nextMs !== Infinity) this.#arm(nextMs)
    for (const item of expired) {
      // One of them may have ended another.
      if (!item.listed) continue
      this.remove(item)
      item.expired()
    }
  }
}

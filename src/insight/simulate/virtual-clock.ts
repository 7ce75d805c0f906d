// A Clock that jumps from event to event, in order of time, without waiting for any.
import type { Clock, Timer } from '../../core/clock.ts'

/** Where it starts: times of 0 mean "never" in places. */
const startMs = 1_000
/** Promises follow each other no further than this from a connection to the request that waits for it. */
const turns = 16
const settled = Promise.resolve()
/** Events between two looks at whether somebody wants to know how far it is. */
const lookAfter = 16_384

/** Children of a place in the heap: fewer levels mean fewer looks at memory far away. */
const children = 4

class ClockEvent implements Timer {
  fn: (() => void) | undefined

  constructor(fn: () => void) {
    this.fn = fn
  }

  cancel(): void {
    this.fn = undefined
  }
}

export class VirtualClock implements Clock {
  #nowMs = startMs
  #order = 0
  #promised = false
  /** Heap of four children each, the next one first: when, in which order of those of one time, and what. Numbers lie close together. */
  #times = new Float64Array(1_024)
  #orders = new Float64Array(1_024)
  readonly #events: ClockEvent[] = []

  /** Since the beginning. */
  get elapsedMs(): number {
    return this.#nowMs - startMs
  }

  nowMs(): number {
    return this.#nowMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  setTimer(delayMs: number, fn: () => void): Timer {
    const event = new ClockEvent(fn)
    this.#push(this.#nowMs + Math.max(0, delayMs), event)
    return event
  }

  /** A promise is being settled: what waits for it runs before the next event. */
  settling(): void {
    this.#promised = true
  }

  /** Runs what happens until so long after the beginning. `look` is called now and then. */
  async run(untilMs: number, look?: () => void): Promise<void> {
    const endMs = startMs + untilMs
    let left = lookAfter
    while (this.#events.length > 0) {
      const atMs = this.#times[0] as number
      if (atMs > endMs) break
      const { fn } = this.#pop()
      if (fn === undefined) continue
      this.#nowMs = atMs
      fn()
      if (this.#promised) {
        this.#promised = false
        for (let turn = 0; turn < turns; turn++) await settled
      }
      if (--left > 0) continue
      left = lookAfter
      look?.()
    }
    this.#nowMs = endMs
  }

  #push(atMs: number, event: ClockEvent): void {
    const events = this.#events
    let at = events.length
    if (at === this.#times.length) this.#grow()
    const times = this.#times
    const orders = this.#orders
    events.push(event)
    while (at > 0) {
      const above = Math.floor((at - 1) / children)
      // of one time the earlier one is there already
      if ((times[above] as number) <= atMs) break
      this.#move(above, at)
      at = above
    }
    times[at] = atMs
    orders[at] = this.#order++
    events[at] = event
  }

  #pop(): ClockEvent {
    const events = this.#events
    const times = this.#times
    const orders = this.#orders
    const first = events[0] as ClockEvent
    const last = events.pop() as ClockEvent
    const count = events.length
    if (count === 0) return first
    const atMs = times[count] as number
    const order = orders[count] as number
    let at = 0
    for (;;) {
      const from = children * at + 1
      if (from >= count) break
      const to = Math.min(from + children, count)
      let least = from
      for (let child = from + 1; child < to; child++) if (this.#before(child, least)) least = child
      const leastMs = times[least] as number
      if (leastMs > atMs || (leastMs === atMs && (orders[least] as number) > order)) break
      this.#move(least, at)
      at = least
    }
    times[at] = atMs
    orders[at] = order
    events[at] = last
    return first
  }

  #before(a: number, b: number): boolean {
    const times = this.#times
    const difference = (times[a] as number) - (times[b] as number)
    return difference < 0 || (difference === 0 && (this.#orders[a] as number) < (this.#orders[b] as number))
  }

  #move(from: number, to: number): void {
    this.#times[to] = this.#times[from] as number
    this.#orders[to] = this.#orders[from] as number
    this.#events[to] = this.#events[from] as ClockEvent
  }

  #grow(): void {
    const times = new Float64Array(this.#times.length * 2)
    const orders = new Float64Array(times.length)
    times.set(this.#times)
    orders.set(this.#orders)
    this.#times = times
    this.#orders = orders
  }
}

// A Clock that jumps from event to event: as many as there are, in order of time, without waiting for any.
import type { Clock, Timer } from '../../src/core/clock.ts'

interface Event {
  readonly atMs: number
  /** Those of one time happen in the order in which they were set. */
  readonly order: number
  fn: (() => void) | undefined
}

export class VirtualClock implements Clock {
  #nowMs = 0
  #order = 0
  /** Binary heap, the next one first. */
  readonly #heap: Event[] = []

  nowMs(): number {
    return this.#nowMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  setTimer(delayMs: number, fn: () => void): Timer {
    const event: Event = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, fn }
    this.#push(event)
    return { cancel: () => void (event.fn = undefined) }
  }

  /** Runs until nothing is left to happen. */
  run(): void {
    for (let next = this.#pop(); next !== undefined; next = this.#pop()) {
      if (next.fn === undefined) continue
      this.#nowMs = next.atMs
      next.fn()
    }
  }

  #push(event: Event): void {
    const heap = this.#heap
    let at = heap.length
    while (at > 0) {
      const above = (at - 1) >>> 1
      const parent = heap[above] as Event
      if (!isBefore(event, parent)) break
      heap[at] = parent
      at = above
    }
    heap[at] = event
  }

  #pop(): Event | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child++
      if (!isBefore(heap[child] as Event, last)) break
      heap[at] = heap[child] as Event
      at = child
    }
    heap[at] = last
    return first
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}

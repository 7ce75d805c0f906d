// A Clock whose time only moves when the test says so.
import type { Clock, Timer } from '../../src/core/clock.ts'

interface Pending {
  readonly atMs: number
  readonly order: number
  readonly fn: () => void
}

export class ManualClock implements Clock {
  #nowMs: number
  #order = 0
  #pending: Pending[] = []

  constructor(startMs = 1_700_000_000_000) {
    this.#nowMs = startMs
  }

  nowMs(): number {
    return this.#nowMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  setTimer(delayMs: number, fn: () => void): Timer {
    const pending = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, fn }
    this.#pending.push(pending)
    return {
      cancel: () => {
        this.#pending = this.#pending.filter((one) => one !== pending)
      },
    }
  }

  /** Moves time forward, running what falls due in order; timers set on the way run too when they fall due. */
  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs
    for (;;) {
      const [next] = this.#pending
        .filter((one) => one.atMs <= untilMs)
        .toSorted((a, b) => a.atMs - b.atMs || a.order - b.order)
      if (next === undefined) break
      this.#pending = this.#pending.filter((one) => one !== next)
      this.#nowMs = next.atMs
      next.fn()
    }
    this.#nowMs = untilMs
  }

  get pendingCount(): number {
    return this.#pending.length
  }
}

// Which requests are told of though nobody has sampled them, as spans and as decision records: of those that failed, needed another attempt or were slow, some.
import type { Clock } from '../../core/clock.ts'
import { hashText } from '../load-balancing/key-hash.runtime.ts'

/** A request that takes so long is slow. */
const slowMs = 1_000
const chosenPerSecond = 10
/** More than are chosen: those with the lowest marks come in any order. */
const mostPerSecond = 50

export function standsOut(failed: boolean, durationMs: number): boolean {
  return failed || durationMs >= slowMs
}

/**
 * Chooses, of each second, the ten requests with the lowest marks so far. A mark is made of what all hops of a request are called by, so that
 * proxies which know nothing of each other choose the same requests, and all their hops.
 */
export class ChosenRequests {
  readonly #clock: Clock
  #second = 0
  #chosen = 0
  /** Ascending; of requests, however many hops of them pass here. */
  #lowest: number[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `id`: the trace id, or else the request id. */
  chooses(id: string): boolean {
    const second = Math.floor(this.#clock.nowMs() / 1_000)
    if (second !== this.#second) {
      this.#second = second
      this.#chosen = 0
      this.#lowest = []
    }
    if (this.#chosen >= mostPerSecond || !this.#isLow(hashText(id, 0))) return false
    this.#chosen++
    return true
  }

  #isLow(mark: number): boolean {
    if (this.#lowest.includes(mark)) return true
    if (this.#lowest.length >= chosenPerSecond && mark > (this.#lowest.at(-1) as number)) return false
    this.#lowest.push(mark)
    this.#lowest.sort((a, b) => a - b)
    this.#lowest.length = Math.min(this.#lowest.length, chosenPerSecond)
    return true
  }
}

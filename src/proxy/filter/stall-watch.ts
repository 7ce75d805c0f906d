// Requests on which nothing moves any more: all open ones are looked through now and then, so that none has a timer of its own.
import type { Clock, Timer } from '../../core/clock.ts'

/** A request being served, linked with the others. */
export interface WatchedRequest {
  older: WatchedRequest | undefined
  newer: WatchedRequest | undefined
  /** Grows whenever something of it moves, either way. */
  readonly progress: number
  /** How long nothing may move; Infinity: for ever. */
  readonly stallTimeoutMs: number
  stalled(): void
}

interface Look {
  readonly progress: number
  readonly sinceMs: number
}

/** At least so often, and several times within the shortest timeout. */
const mostIntervalMs = 15_000
const looksWithinTimeout = 5

export class StallWatch {
  readonly #clock: Clock
  #newest: WatchedRequest | undefined
  #intervalMs = mostIntervalMs
  #timer: Timer | undefined
  #looks = new Map<WatchedRequest, Look>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(request: WatchedRequest): void {
    request.older = this.#newest
    if (this.#newest !== undefined) this.#newest.newer = request
    this.#newest = request
    const intervalMs = request.stallTimeoutMs / looksWithinTimeout
    if (intervalMs < this.#intervalMs) {
      this.#intervalMs = intervalMs
      this.#timer?.cancel()
      this.#timer = undefined
    }
    this.#timer ??= this.#clock.setTimer(this.#intervalMs, this.#look)
  }

  /** Nothing happens when it is not in the list. */
  remove(request: WatchedRequest): void {
    const { older, newer } = request
    if (newer !== undefined) newer.older = older
    else if (this.#newest === request) this.#newest = older
    else return
    if (older !== undefined) older.newer = newer
    request.older = undefined
    request.newer = undefined
  }

  readonly #look = (): void => {
    const nowMs = this.#clock.monotonicMs()
    const looks = new Map<WatchedRequest, Look>()
    const stalled: WatchedRequest[] = []
    for (let request = this.#newest; request !== undefined; request = request.older) {
      const { progress } = request
      const before = this.#looks.get(request)
      const look = before?.progress === progress ? before : { progress, sinceMs: nowMs }
      if (nowMs - look.sinceMs >= request.stallTimeoutMs) stalled.push(request)
      else looks.set(request, look)
    }
    this.#looks = looks
    // One may end another: they share connections.
    for (const request of stalled) request.stalled()
    this.#timer = this.#newest === undefined ? undefined : this.#clock.setTimer(this.#intervalMs, this.#look)
  }
}

// A request that ends when nothing of it has moved for long: looked at now and then, so that what moves costs nothing.
import type { Clock } from '../../core/clock.ts'
import { Deadlined, type DeadlineList } from '../../core/deadline-list.ts'

/** At least so often, and several times within the time allowed. */
const mostIntervalMs = 15_000
const looksWithinTimeout = 5

export abstract class WatchedRequest extends Deadlined {
  #watch: Watch | undefined
  /** Grows whenever something of it moves, either way. */
  abstract readonly progress: number

  abstract stalled(timeoutMs: number): void

  /** `timeoutMs`: how long nothing may move from now on; Infinity: for ever. Until it is removed from `deadlines`. */
  watch(clock: Clock, deadlines: DeadlineList, timeoutMs: number): void {
    deadlines.remove(this)
    if (timeoutMs === Infinity) return
    const nowMs = clock.monotonicMs()
    this.#watch = { clock, deadlines, timeoutMs, progress: this.progress, sinceMs: nowMs }
    deadlines.add(this, nextLookMs(nowMs, timeoutMs))
  }

  expired(): void {
    const watch = this.#watch as Watch
    const { progress } = this
    const nowMs = watch.clock.monotonicMs()
    if (progress !== watch.progress) {
      watch.progress = progress
      watch.sinceMs = nowMs
    }
    if (nowMs - watch.sinceMs >= watch.timeoutMs) this.stalled(watch.timeoutMs)
    else watch.deadlines.add(this, nextLookMs(nowMs, watch.timeoutMs))
  }
}

interface Watch {
  readonly clock: Clock
  readonly deadlines: DeadlineList
  readonly timeoutMs: number
  progress: number
  /** When the progress was seen first. */
  sinceMs: number
}

/** The same for all that are allowed the same time: they are looked at together. */
function nextLookMs(nowMs: number, timeoutMs: number): number {
  const intervalMs = Math.min(mostIntervalMs, timeoutMs / looksWithinTimeout)
  return (Math.floor(nowMs / intervalMs) + 1) * intervalMs
}

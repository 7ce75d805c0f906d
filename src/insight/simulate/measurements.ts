// What is counted while a simulation runs: requests, answers, attempts, over time and in total.
import type { Exchange } from '../../proxy/telemetry/exchange.ts'
import type { SimulatedCall } from './simulated-call.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** What happened within one part of the run. */
export interface Interval {
  requests: number
  failed: number
  attempts: number
  /** Of its requests those that have no answer yet. */
  waiting: number
  /** Of answers that are no failure. */
  readonly latenciesMs: number[]
}

/** Parts that a run is shown in. */
export const intervals = 60

/** It may come again later, but was not served. */
const tooManyRequests = 429

export class Measurements {
  readonly series: readonly Interval[]
  requests = 0
  succeeded = 0
  /** Requests that were sent to an instance, and connections for one that did not come about. */
  attempts = 0
  /** By what callers saw: a status, "no answer" or "gave up". */
  readonly failures: Map<string, number> = new Map()
  readonly #clock: VirtualClock
  readonly #intervalMs: number
  readonly #countedFromMs: number
  #latencies = new Float64Array(1_024)

  constructor(clock: VirtualClock, durationMs: number, warmUpMs: number) {
    this.#clock = clock
    this.#intervalMs = durationMs / intervals
    this.#countedFromMs = warmUpMs
    this.series = Array.from({ length: intervals }, () => ({
      requests: 0,
      failed: 0,
      attempts: 0,
      waiting: 0,
      latenciesMs: [],
    }))
  }

  /** A caller asks; the part of the run that its request belongs to. */
  asked(): Interval {
    const interval = this.#interval
    interval.requests++
    interval.waiting++
    if (this.#counts) this.requests++
    return interval
  }

  /** An attempt begins. */
  attempted(): void {
    this.#interval.attempts++
    if (this.#counts) this.attempts++
  }

  answered(call: SimulatedCall, gaveUp: boolean): void {
    const { status, startMs } = call
    const latencyMs = this.#clock.monotonicMs() - startMs
    const failed = isFailure(status)
    call.interval.waiting--
    const interval = this.#interval
    if (failed) interval.failed++
    else interval.latenciesMs.push(latencyMs)
    if (this.#clock.elapsedMs - latencyMs < this.#countedFromMs) return
    if (failed) {
      const seen = gaveUp ? 'gave up' : status === 0 ? 'no answer' : String(status)
      this.failures.set(seen, (this.failures.get(seen) ?? 0) + 1)
      return
    }
    if (this.succeeded === this.#latencies.length) {
      const larger = new Float64Array(this.#latencies.length * 2)
      larger.set(this.#latencies)
      this.#latencies = larger
    }
    this.#latencies[this.succeeded++] = latencyMs
  }

  /** As the proxy tells it, when it is done. The other attempts have been counted when they were sent. */
  exchanged({ attempts }: Exchange): void {
    for (const { outcome } of attempts) if (outcome === 'connect-failure') this.attempted()
  }

  /** Those that have no answer when all is over. */
  get unanswered(): number {
    let failed = 0
    for (const count of this.failures.values()) failed += count
    return this.requests - this.succeeded - failed
  }

  /** Of all that succeeded, ascending. */
  latenciesMs(): Float64Array {
    return this.#latencies.slice(0, this.succeeded).toSorted()
  }

  get #counts(): boolean {
    return this.#clock.elapsedMs >= this.#countedFromMs
  }

  get #interval(): Interval {
    return this.series[Math.min(intervals - 1, Math.floor(this.#clock.elapsedMs / this.#intervalMs))] as Interval
  }
}

export function isFailure(status: number): boolean {
  return status === 0 || status >= 500 || status === tooManyRequests
}

/** Undefined: there are none. */
export function percentile(ascending: ArrayLike<number>, percent: number): number | undefined {
  return ascending[Math.min(ascending.length - 1, Math.floor((ascending.length * percent) / 100))]
}

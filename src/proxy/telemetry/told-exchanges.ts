// Which finished exchanges are told of, as spans and as decision records: those of sampled traces, and some of those that failed or were slow.
import type { Clock } from '../../core/clock.ts'
import { ChosenRequests, standsOut } from '../../policies/tracing/tracing.runtime.ts'
import type { Exchange } from './exchange.ts'

export class ToldExchanges {
  readonly #chosen: ChosenRequests

  constructor(clock: Clock) {
    this.#chosen = new ChosenRequests(clock)
  }

  has(exchange: Exchange, failed: boolean): boolean {
    const { traced, durationMs, request, startMonotonicMs } = exchange
    if (traced?.context.sampled === true) return true
    if (!standsOut(failed, durationMs)) return false
    const id = traced?.context.traceId ?? request.headers.get('x-request-id')
    return this.#chosen.chooses(id ?? String(startMonotonicMs))
  }
}

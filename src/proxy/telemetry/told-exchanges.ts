// Which finished exchanges are told of, as spans and as decision records: those of sampled traces, and some of those that failed, needed another attempt or were slow.
import type { Clock } from '../../core/clock.ts'
import { ChosenRequests, standsOut } from '../../policies/tracing/tracing.runtime.ts'
import type { Exchange } from './exchange.ts'

export class ToldExchanges {
  readonly #chosen: ChosenRequests

  constructor(clock: Clock) {
    this.#chosen = new ChosenRequests(clock)
  }

  has(exchange: Exchange, failed: boolean): boolean {
    const { traced, durationMs, startMonotonicMs } = exchange
    if (traced?.context.sampled === true) return true
    if (!standsOut(failed || wasRepeated(exchange), durationMs)) return false
    return this.#chosen.chooses(exchangeId(exchange) ?? String(startMonotonicMs))
  }
}

/** What all hops of a request are called by. */
export function exchangeId({ traced, request }: Exchange): string | undefined {
  return traced?.context.traceId ?? request.headers.get('x-request-id')
}

/** Its caller saw nothing of what went wrong. */
function wasRepeated({ attempts }: Exchange): boolean {
  return attempts.length > 1 && attempts.some(({ retriedBecause }) => retriedBecause !== undefined)
}

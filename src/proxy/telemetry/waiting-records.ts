// Decision records of requests that somebody will want to look at afterwards: those that failed, were repeated, were slow or, some of them, are sampled wait here for the control plane.
import type { DecisionRecord } from '../../contracts/decision-record.ts'
import type { Clock } from '../../core/clock.ts'
import { ChosenRequests } from '../../policies/tracing/tracing.runtime.ts'
import type { RecordConsumer } from './decision-records.ts'
import type { Exchange } from './exchange.ts'
import { hasFailed } from './spans.ts'
import { ToldExchanges } from './told-exchanges.ts'

export interface RecordCounter {
  recordsCounted(result: 'sent' | 'dropped', records: number): void
}

/** Between two reports, or while the control plane is away; and those that are being made. */
export const mostWaiting = 512

export class WaitingRecords implements RecordConsumer {
  readonly #told: ToldExchanges
  /** Some of those that nothing else is told of: collectors get all. */
  readonly #sampled: ChosenRequests
  readonly #counter: RecordCounter
  #waiting: DecisionRecord[] = []
  #closed = false

  constructor(clock: Clock, counter: RecordCounter) {
    this.#told = new ToldExchanges(clock)
    this.#sampled = new ChosenRequests(clock)
    this.#counter = counter
  }

  wants(exchange: Exchange): boolean {
    if (this.#closed || exchange.protocol === 'TCP' || exchange.muted?.decisionRecords === true) return false
    const failed = hasFailed(exchange)
    if (!this.#told.has(exchange, failed)) return false
    const { traced } = exchange
    if (!failed && traced?.context.sampled === true && !this.#sampled.chooses(traced.context.traceId)) return false
    // many sampled ones leave room for those that failed
    if (this.#waiting.length < (failed ? mostWaiting : mostWaiting / 2)) return true
    this.#counter.recordsCounted('dropped', 1)
    return false
  }

  consume(record: DecisionRecord): void {
    this.#waiting.push(record)
  }

  take(): readonly DecisionRecord[] {
    const taken = this.#waiting
    this.#waiting = []
    return taken
  }

  /** Nobody wants them: none is made any more. */
  close(): void {
    this.#closed = true
    this.#waiting = []
  }
}

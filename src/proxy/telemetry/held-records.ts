// Decision records of requests that nobody wants to see yet: held for some seconds, as another hop of the same request may have seen it fail.
import type { DecisionRecord } from '../../contracts/decision-record.ts'
import type { Clock } from '../../core/clock.ts'
import { packRecord, requestIds } from '../../policies/access-log/streamed-record.xds.ts'
import { hashText } from '../../policies/load-balancing/key-hash.runtime.ts'
import type { RecordConsumer } from './decision-records.ts'
import type { Exchange } from './exchange.ts'
import { exchangeId } from './told-exchanges.ts'

/** A report, the question, and hops that ended some seconds before the one that failed. */
const heldMs = 10_000
/** Of one sidecar. */
const mostCharacters = 4 * 1024 * 1024
const windowMs = 1_000
const mostPerSecond = 500
/** Fewer of a request's hops would hardly ever be whole, and to look at its id costs more than all else that is done here. */
const leastShare = 1 / 16

/**
 * How many records all sidecars of a process hold together: all while there are few requests; of many those with the lowest marks, so that
 * proxies which know nothing of each other hold the same requests; of very many none.
 */
export class HoldingLimit {
  readonly #perSecond: number
  #windowEndMs = -Infinity
  #seen = 0
  #held = 0
  /** Of the marks, 0 to 1. */
  #share = 1

  constructor(perSecond: number = mostPerSecond) {
    this.#perSecond = perSecond
  }

  admits(exchange: Exchange): boolean {
    const endMs = exchange.startMonotonicMs + exchange.durationMs
    if (endMs >= this.#windowEndMs) this.#turn(endMs)
    this.#seen++
    if (this.#share === 0) return false
    // requests come unevenly, and the share is that of the second before
    if (this.#held >= 2 * this.#perSecond) return false
    if (this.#share < 1 && markOf(exchangeId(exchange) ?? '') >= this.#share * 2 ** 32) return false
    this.#held++
    return true
  }

  #turn(nowMs: number): void {
    const share = nowMs >= this.#windowEndMs + windowMs ? 1 : Math.min(1, this.#perSecond / Math.max(1, this.#seen))
    this.#share = share < leastShare ? 0 : share
    this.#windowEndMs = nowMs + windowMs
    this.#seen = 0
    this.#held = 0
  }
}

/** Numbers and a text of its own: nothing that the request has touched is kept from being collected. */
interface Held {
  readonly endedMs: number
  /** Of its ids. */
  readonly marks: readonly number[]
  readonly packed: string
}

export class HeldRecords implements RecordConsumer {
  readonly #clock: Clock
  readonly #limit: HoldingLimit
  /** Oldest first. */
  #held: Held[] = []
  #characters = 0
  #closed = false

  constructor(clock: Clock, limit: HoldingLimit) {
    this.#clock = clock
    this.#limit = limit
  }

  wants(exchange: Exchange): boolean {
    if (this.#closed || exchange.protocol === 'TCP' || exchange.muted?.decisionRecords === true) return false
    // what is sampled is told anyhow
    if (exchange.traced?.context.sampled === true) return false
    return this.#limit.admits(exchange)
  }

  consume(record: DecisionRecord): void {
    const packed = packRecord(record)
    if (packed === undefined) return
    this.#held.push({ endedMs: this.#clock.monotonicMs(), marks: requestIds(record).map(markOf), packed })
    this.#characters += packed.length
    if (this.#characters > mostCharacters) this.#drop(this.#held.length >>> 1)
  }

  /** Those of the requests with these request ids and trace ids, packed; as marks may meet, now and then one of another. They are held no more. */
  take(ids: readonly string[]): string[] {
    const marks = new Set(ids.map(markOf))
    const isAsked = (one: Held): boolean => one.marks.some((mark) => marks.has(mark))
    const taken = this.#held.filter(isAsked)
    if (taken.length > 0) this.#keep(this.#held.filter((one) => !isAsked(one)))
    return taken.map(({ packed }) => packed)
  }

  /** To be called now and then. */
  expire(): void {
    const sinceMs = this.#clock.monotonicMs() - heldMs
    const fresh = this.#held.findIndex(({ endedMs }) => endedMs >= sinceMs)
    this.#drop(fresh === -1 ? this.#held.length : fresh)
  }

  /** Nobody will ask. */
  close(): void {
    this.#closed = true
    this.#keep([])
  }

  #drop(oldest: number): void {
    if (oldest > 0) this.#keep(this.#held.slice(oldest))
  }

  #keep(held: Held[]): void {
    this.#held = held
    this.#characters = held.reduce((sum, { packed }) => sum + packed.length, 0)
  }
}

function markOf(id: string): number {
  return hashText(id, 0)
}

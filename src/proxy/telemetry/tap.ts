// Hands decision records to whoever watches right now: `heddle tap`, the dashboard.
import type { DecisionRecord } from '../../contracts/decision-record.ts'
import type { TapFilter, TappedRecord } from '../../contracts/telemetry/tap.ts'
import { defaultRedactor, type Redactor } from '../../policies/redaction/redaction.runtime.ts'
import { BodyCopies } from './copied-bodies.ts'
import type { RecordConsumer } from './decision-records.ts'
import type { Exchange } from './exchange.ts'
import { tappedBody } from './tapped-body.ts'

export interface TapOptions {
  readonly redactor: () => Redactor
  /** Somebody begins to read bodies. */
  readonly bodiesAsked: () => void
}

interface Subscriber {
  readonly filter: TapFilter
  readonly bodyBytes: number
  readonly listener: (record: TappedRecord) => void
}

export class Tap implements RecordConsumer {
  /** Of the exchanges under way, while somebody asks for them. */
  readonly bodies: BodyCopies = new BodyCopies()
  readonly #options: TapOptions
  readonly #subscribers = new Set<Subscriber>()

  constructor({ redactor = () => defaultRedactor, bodiesAsked = () => {} }: Partial<TapOptions> = {}) {
    this.#options = { redactor, bodiesAsked }
  }

  /** Somebody watches. */
  get active(): boolean {
    return this.#subscribers.size > 0
  }

  wants(): boolean {
    return this.#subscribers.size > 0
  }

  /**
   * Calls `listener` for each record that fits until the returned function is called. The listener must not block. `bodyBytes`: of each body;
   * exchanges that began before are shown without.
   */
  subscribe(filter: TapFilter, listener: (record: TappedRecord) => void, bodyBytes = 0): () => void {
    const subscriber = { filter, bodyBytes, listener }
    this.#subscribers.add(subscriber)
    if (bodyBytes > 0) this.#options.bodiesAsked()
    this.#measure()
    return () => {
      this.#subscribers.delete(subscriber)
      this.#measure()
    }
  }

  consume(record: DecisionRecord, exchange: Exchange): void {
    for (const { filter, bodyBytes, listener } of this.#subscribers)
      if (matchTap(filter, record)) listener(bodyBytes === 0 ? record : this.#withBodies(record, exchange, bodyBytes))
  }

  #measure(): void {
    this.bodies.mostBytes = Math.max(0, ...Array.from(this.#subscribers, ({ bodyBytes }) => bodyBytes))
  }

  #withBodies(record: DecisionRecord, exchange: Exchange, most: number): TappedRecord {
    const copies = this.bodies.of(exchange)
    if (copies === undefined) return record
    const redactor = this.#options.redactor()
    const request = tappedBody(copies.request, most, redactor)
    const response = tappedBody(copies.response, most, redactor)
    if (request === undefined && response === undefined) return record
    return {
      ...record,
      bodies: { ...(request !== undefined && { request }), ...(response !== undefined && { response }) },
    }
  }
}

export function matchTap(filter: TapFilter, record: DecisionRecord): boolean {
  const { request, response, destination, source } = record
  const ends = [source.workload, destination.workload]
  return (
    (filter.method === undefined || filter.method === request.method) &&
    (filter.pathPrefix === undefined || request.path.startsWith(filter.pathPrefix)) &&
    (filter.statusClass === undefined || filter.statusClass === Math.trunc(response.status / 100)) &&
    (filter.namespace === undefined || ends.some((end) => end?.startsWith(`${filter.namespace}/`))) &&
    (filter.workload === undefined || ends.includes(filter.workload)) &&
    (filter.service === undefined || filter.service === destination.service)
  )
}

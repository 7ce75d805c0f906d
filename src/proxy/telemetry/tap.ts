// Hands decision records to whoever watches right now: `heddle tap`, the dashboard.
import type { DecisionRecord } from '../../contracts/decision-record.ts'
import type { TapFilter } from '../../contracts/telemetry/tap.ts'
import type { RecordConsumer } from './decision-records.ts'

export interface Tap extends RecordConsumer {
  /** Somebody watches. */
  readonly active: boolean
  consume(record: DecisionRecord): void
  /** Calls `listener` for each record that fits until the returned function is called. The listener must not block. */
  subscribe(filter: TapFilter, listener: (record: DecisionRecord) => void): () => void
}

interface Subscriber {
  readonly filter: TapFilter
  readonly listener: (record: DecisionRecord) => void
}

export function createTap(): Tap {
  const subscribers = new Set<Subscriber>()
  return {
    get active() {
      return subscribers.size > 0
    },
    wants: () => subscribers.size > 0,
    subscribe(filter, listener) {
      const subscriber = { filter, listener }
      subscribers.add(subscriber)
      return () => subscribers.delete(subscriber)
    },
    consume(record) {
      for (const { filter, listener } of subscribers) if (matchTap(filter, record)) listener(record)
    },
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

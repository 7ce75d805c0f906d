// What TypeScript filters cost, and what they count themselves.
import { durationBucketsSeconds, proxyMetrics } from '../../contracts/telemetry/metrics.ts'
import type { MetricRegistry } from '../../core/metrics/metric-registry.ts'
import type { Counter, Gauge, Histogram, SeriesTable } from '../../core/metrics/series-table.ts'
import type { FilterMeter } from '../../policies/typescript-filter/running-filter.runtime.ts'
import type { FilterPhase } from '../../policies/typescript-filter/typescript-filter.spec.ts'

/** A call takes microseconds where nothing has to be waited for. */
const callBucketsSeconds: readonly number[] = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, ...durationBucketsSeconds]

/** Label values of a filter's own making. */
const mostCharacters = 128

export class FilterMetrics {
  readonly #callTable: SeriesTable
  readonly #duration: Histogram
  readonly #failureTable: SeriesTable
  readonly #failures: Counter
  readonly #bypassedTable: SeriesTable
  readonly #bypassed: Gauge
  readonly #eventTable: SeriesTable
  readonly #events: Counter
  readonly #observationTable: SeriesTable
  readonly #observations: Histogram

  constructor(registry: MetricRegistry) {
    this.#callTable = registry.table(proxyMetrics.filterDuration.labels)
    this.#duration = this.#callTable.histogram(proxyMetrics.filterDuration, callBucketsSeconds)
    this.#failureTable = registry.table(proxyMetrics.filterFailures.labels)
    this.#failures = this.#failureTable.counter(proxyMetrics.filterFailures)
    this.#bypassedTable = registry.table(proxyMetrics.filterBypassed.labels)
    this.#bypassed = this.#bypassedTable.gauge(proxyMetrics.filterBypassed)
    this.#eventTable = registry.table(proxyMetrics.filterEvents.labels)
    this.#events = this.#eventTable.counter(proxyMetrics.filterEvents)
    this.#observationTable = registry.table(proxyMetrics.filterObservations.labels)
    this.#observations = this.#observationTable.histogram(proxyMetrics.filterObservations, durationBucketsSeconds)
  }

  of(filter: string): FilterMeter {
    const rows = new Map<FilterPhase, number>()
    const rowOf = (phase: FilterPhase): number => {
      let row = rows.get(phase)
      if (row === undefined) rows.set(phase, (row = this.#callTable.row(filter, phase)))
      return row
    }
    return {
      called: (phase, durationMs) => this.#duration.observe(rowOf(phase), durationMs / 1000),
      failed: (phase, failure) => this.#failures.add(this.#failureTable.row(filter, phase, failure), 1),
      bypassed: (is) => this.#bypassed.set(this.#bypassedTable.row(filter), is ? 1 : 0),
      event: (event, value) => this.#events.add(this.#eventTable.row(filter, bounded(event), bounded(value)), 1),
      observed: (name, value) => this.#observations.observe(this.#observationTable.row(filter, bounded(name)), value),
    }
  }
}

function bounded(label: string): string {
  return label.slice(0, mostCharacters)
}

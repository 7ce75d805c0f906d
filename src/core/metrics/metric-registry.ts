// All metrics of one process, or of one sidecar in it, in the order they are shown.
import type { Logger } from '../logger.ts'
import { Histogram, SeriesTable } from './series-table.ts'

const defaultMaxSeries = 1000

export class MetricRegistry {
  readonly #logger: Logger
  readonly #maxSeries: number
  readonly #tables: SeriesTable[] = []

  /** Past `maxSeries` label sets, a table's metrics count the rest in one series; a warning says so once. */
  constructor(logger: Logger, maxSeries: number = defaultMaxSeries) {
    this.#logger = logger
    this.#maxSeries = maxSeries
  }

  get tables(): readonly SeriesTable[] {
    return this.#tables
  }

  /** Of all histograms of seconds; `sinceMs` is now, milliseconds since the Unix epoch. Undefined: no more. */
  recordExponential(sinceMs: number | undefined): void {
    for (const { columns } of this.#tables)
      for (const column of columns) if (column instanceof Histogram) column.recordExponential(sinceMs)
  }

  /** A table whose columns, added next, share `labels`. */
  table(labels: readonly string[]): SeriesTable {
    const table: SeriesTable = new SeriesTable(labels, this.#maxSeries, () => {
      const metrics = table.columns.map((column) => column.definition.name)
      this.#logger.warn('too many series: new label sets are counted as "overflow"', {
        metrics,
        maxSeries: this.#maxSeries,
      })
    })
    this.#tables.push(table)
    return table
  }
}

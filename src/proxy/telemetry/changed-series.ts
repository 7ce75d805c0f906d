// Which series of a registry have changed since the last report, as Prometheus' messages with their totals.
import { create } from '@bufbuild/protobuf'

import { MetricFamilySchema } from '../../contracts/xds/gen/io/prometheus/client/metrics_pb.ts'
import type { Metric, MetricFamily } from '../../contracts/xds/gen/io/prometheus/client/metrics_pb.ts'
import type { MetricRegistry } from '../../core/metrics/metric-registry.ts'
import { Histogram } from '../../core/metrics/series-table.ts'
import type { MetricColumn, SeriesTable } from '../../core/metrics/series-table.ts'
import { metricMessage, total, typeOf } from './prometheus-message.ts'

interface Reported {
  /** Of the row as the table has them: a table that was cleared has others. */
  labels: readonly string[]
  value: number
}

export class ChangedSeries {
  readonly #registry: MetricRegistry
  readonly #names: ReadonlySet<string>
  readonly #startedAtMs: number
  /** By row. */
  readonly #reported = new Map<MetricColumn, Reported[]>()

  /** `names`: of the metrics that are reported. `startedAtMs`: when the registry began to count. */
  constructor(registry: MetricRegistry, names: ReadonlySet<string>, startedAtMs: number) {
    this.#registry = registry
    this.#names = names
    this.#startedAtMs = startedAtMs
  }

  /** The first time, all there are. */
  take(): MetricFamily[] {
    const families: MetricFamily[] = []
    for (const table of this.#registry.tables) {
      for (const column of table.columns) {
        if (!this.#names.has(column.definition.name)) continue
        const metric = this.#changed(table, column)
        if (metric.length === 0) continue
        families.push(create(MetricFamilySchema, { name: column.definition.name, type: typeOf(column), metric }))
      }
    }
    return families
  }

  #changed(table: SeriesTable, column: MetricColumn): Metric[] {
    const before = this.#reported.get(column) ?? []
    this.#reported.set(column, before)
    before.length = Math.min(before.length, table.rows.length)
    const changed: Metric[] = []
    for (const [row, labels] of table.rows.entries()) {
      const value = column instanceof Histogram ? total(column.counts(row)) : column.value(row)
      const reported = before[row]
      if (reported?.labels === labels && reported.value === value) continue
      before[row] = { labels, value }
      changed.push(metricMessage(table, column, row, this.#startedAtMs))
    }
    return changed
  }
}

// Which series of a registry have changed since the last report, as Prometheus' messages with their totals.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'

import {
  CounterSchema,
  GaugeSchema,
  HistogramSchema,
  LabelPairSchema,
  MetricFamilySchema,
  MetricSchema,
  MetricType,
} from '../../contracts/xds/gen/io/prometheus/client/metrics_pb.ts'
import type { Metric, MetricFamily } from '../../contracts/xds/gen/io/prometheus/client/metrics_pb.ts'
import type { MetricRegistry } from '../../core/metrics/metric-registry.ts'
import { Gauge, Histogram } from '../../core/metrics/series-table.ts'
import type { MetricColumn, SeriesTable } from '../../core/metrics/series-table.ts'

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
      changed.push(this.#metric(table, column, row))
    }
    return changed
  }

  #metric(table: SeriesTable, column: MetricColumn, row: number): Metric {
    const values = table.rows[row] as readonly string[]
    const metric = create(MetricSchema, {
      label: table.labels.map((name, index) => create(LabelPairSchema, { name, value: values[index] ?? '' })),
    })
    const createdTimestamp = timestampFromMs(this.#startedAtMs)
    if (column instanceof Histogram) {
      const counts = column.counts(row)
      let upTo = 0
      const bucket = column.bounds.map((upperBound, index) => {
        upTo += counts[index] as number
        return { upperBound, cumulativeCount: BigInt(upTo) }
      })
      metric.histogram = create(HistogramSchema, {
        sampleCount: BigInt(total(counts)),
        sampleSum: column.sum(row),
        bucket,
        createdTimestamp,
      })
    } else if (column instanceof Gauge) metric.gauge = create(GaugeSchema, { value: column.value(row) })
    else metric.counter = create(CounterSchema, { value: column.value(row), createdTimestamp })
    return metric
  }
}

function typeOf(column: MetricColumn): MetricType {
  if (column instanceof Histogram) return MetricType.HISTOGRAM
  return column instanceof Gauge ? MetricType.GAUGE : MetricType.COUNTER
}

function total(counts: Float64Array): number {
  let sum = 0
  for (const count of counts) sum += count
  return sum
}

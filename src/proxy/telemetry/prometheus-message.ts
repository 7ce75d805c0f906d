// One series as Prometheus' message: for the control plane, which is told what changes, and for a scrape in protobuf, which has native histograms.
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { Timestamp } from '@bufbuild/protobuf/wkt'

import {
  BucketSpanSchema,
  CounterSchema,
  ExemplarSchema,
  GaugeSchema,
  HistogramSchema,
  LabelPairSchema,
  MetricSchema,
  MetricType,
} from '../../contracts/xds/gen/io/prometheus/client/metrics_pb.ts'
import type {
  Exemplar as ExemplarMessage,
  Histogram as HistogramMessage,
  Metric,
} from '../../contracts/xds/gen/io/prometheus/client/metrics_pb.ts'
import {
  type ExponentialCounts,
  exponentialScale,
  zeroThresholdSeconds,
} from '../../core/metrics/exponential-buckets.ts'
import {
  type Exemplar,
  Gauge,
  Histogram,
  type MetricColumn,
  type SeriesTable,
} from '../../core/metrics/series-table.ts'

export function typeOf(column: MetricColumn): MetricType {
  if (column instanceof Histogram) return MetricType.HISTOGRAM
  return column instanceof Gauge ? MetricType.GAUGE : MetricType.COUNTER
}

/** `startedAtMs`: when it began to count, milliseconds since the Unix epoch. */
export function metricMessage(table: SeriesTable, column: MetricColumn, row: number, startedAtMs: number): Metric {
  const values = table.rows[row] as readonly string[]
  const metric = create(MetricSchema, {
    label: table.labels.map((name, index) => create(LabelPairSchema, { name, value: values[index] ?? '' })),
  })
  const createdTimestamp = timestampFromMs(startedAtMs)
  if (column instanceof Histogram) metric.histogram = histogramMessage(column, row, createdTimestamp)
  else if (column instanceof Gauge) metric.gauge = create(GaugeSchema, { value: column.value(row) })
  else metric.counter = create(CounterSchema, { value: column.value(row), createdTimestamp })
  return metric
}

function histogramMessage(column: Histogram, row: number, createdTimestamp: Timestamp): HistogramMessage {
  const counts = column.counts(row)
  let upTo = 0
  const bucket = column.bounds.map((upperBound, index) => {
    upTo += counts[index] as number
    return { upperBound, cumulativeCount: BigInt(upTo) }
  })
  return create(HistogramSchema, {
    sampleCount: BigInt(total(counts)),
    sampleSum: column.sum(row),
    bucket,
    createdTimestamp,
  })
}

/** With the exemplars of its buckets and, where they are counted, with exponential buckets: these then say how many there are. */
export function nativeMessage(table: SeriesTable, column: MetricColumn, row: number, startedAtMs: number): Metric {
  const metric = metricMessage(table, column, row, startedAtMs)
  const { histogram } = metric
  if (!(column instanceof Histogram) || histogram === undefined) return metric
  for (const [index, bucket] of histogram.bucket.entries()) {
    const exemplar = column.exemplar(row, index)
    if (exemplar !== undefined) bucket.exemplar = exemplarMessage(exemplar)
  }
  const exponential = column.exponential(row)
  if (exponential !== undefined) addNative(histogram, exponential)
  return metric
}

/**
 * What was observed before anybody asked for exponential buckets is in the others alone: it is counted as nothing here, so that both agree on how
 * many there were.
 */
function addNative(histogram: HistogramMessage, { offset, counts, zeroCount }: ExponentialCounts): void {
  const before = Number(histogram.sampleCount) - total(counts) - zeroCount
  histogram.schema = exponentialScale
  histogram.zeroThreshold = zeroThresholdSeconds
  histogram.zeroCount = BigInt(zeroCount + before)
  let previous = 0
  let skipped = offset + 1
  let isOpen = false
  for (const count of counts) {
    if (count === 0) {
      skipped++
      isOpen = false
      continue
    }
    if (!isOpen) histogram.positiveSpan.push(create(BucketSpanSchema, { offset: skipped, length: 0 }))
    const span = histogram.positiveSpan.at(-1)
    if (span !== undefined) span.length++
    histogram.positiveDelta.push(BigInt(count - previous))
    previous = count
    skipped = 0
    isOpen = true
  }
  // without any bucket, a span of none tells it from a histogram of the old kind
  if (histogram.positiveSpan.length === 0)
    histogram.positiveSpan.push(create(BucketSpanSchema, { offset: 0, length: 0 }))
}

function exemplarMessage({ traceId, value }: Exemplar): ExemplarMessage {
  return create(ExemplarSchema, { label: [{ name: 'trace_id', value: traceId }], value })
}

export function total(counts: Float64Array): number {
  let sum = 0
  for (const count of counts) sum += count
  return sum
}

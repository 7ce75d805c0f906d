// What one process of a proxy has counted since its report before, from the totals that it reports.
import { timestampMs } from '@bufbuild/protobuf/wkt'

import { durationBucketsSeconds } from '../../contracts/telemetry/metrics.ts'
import type { Metric, MetricFamily } from '../../contracts/xds/gen/io/prometheus/client/metrics_pb.ts'

export type Labels = Readonly<Record<string, string>>

/** Takes what is new, one series after another. */
export interface ReportSink {
  /** Of a histogram over `durationBucketsSeconds`, +Inf last. */
  observed(name: string, labels: Labels, counts: Float64Array): void
  counted(name: string, labels: Labels, by: number): void
  measured(name: string, labels: Labels, value: number): void
  /** Nothing is known any more of what it measured, until it comes again and says all of it. */
  left?(): void
}

export function composeReports(...sinks: readonly ReportSink[]): ReportSink {
  return {
    observed: (name, labels, counts) => {
      for (const sink of sinks) sink.observed(name, labels, counts)
    },
    counted: (name, labels, by) => {
      for (const sink of sinks) sink.counted(name, labels, by)
    },
    measured: (name, labels, value) => {
      for (const sink of sinks) sink.measured(name, labels, value)
    },
    left: () => {
      for (const sink of sinks) sink.left?.()
    },
  }
}

/** Of one process; what a proxy counts itself has no more than a tenth of it. */
const mostSeries = 20_000

export class ReportedTotals {
  readonly #countingSinceMs: number
  readonly #totals = new Map<string, Float64Array>()
  #heard = false

  /** `countingSinceMs`: what a process that is older had counted by its first report happened at a time that is not known, and is left out. */
  constructor(countingSinceMs: number) {
    this.#countingSinceMs = countingSinceMs
  }

  /** A report; the first of a process has all series there are. */
  take(families: readonly MetricFamily[], sink: ReportSink): void {
    for (const { name, metric } of families) {
      for (const one of metric) this.#take(name, one, sink)
    }
    if (families.length > 0) this.#heard = true
  }

  #take(name: string, metric: Metric, sink: ReportSink): void {
    const labels = Object.fromEntries(metric.label.map(({ name: label, value }) => [label, value]))
    const { gauge, counter, histogram } = metric
    if (gauge !== undefined) {
      if (Number.isFinite(gauge.value)) sink.measured(name, labels, gauge.value)
      return
    }
    const values = valuesOf(metric)
    if (values === undefined) return
    const key = `${name}\n${metric.label.map(({ value }) => value).join('\n')}`
    const before = this.#totals.get(key)
    if (before === undefined && this.#totals.size >= mostSeries) return
    this.#totals.set(key, values)
    const created = (counter ?? histogram)?.createdTimestamp
    const sinceMs = created === undefined ? 0 : timestampMs(created)
    if (before === undefined && !this.#heard && sinceMs < this.#countingSinceMs) return
    const by = increase(before, values)
    if (by === undefined) return
    if (counter !== undefined) sink.counted(name, labels, by[0] as number)
    else sink.observed(name, labels, by)
  }
}

/** Undefined when nothing has come. A total that is less than before has begun anew. */
function increase(before: Float64Array | undefined, values: Float64Array): Float64Array | undefined {
  const anew = before === undefined || values.some((value, index) => value < (before[index] as number))
  const by = anew ? values : values.map((value, index) => value - (before[index] as number))
  return by.some((count) => count > 0) ? by : undefined
}

function valuesOf({ counter, histogram }: Metric): Float64Array | undefined {
  if (counter !== undefined) return isCount(counter.value) ? Float64Array.of(counter.value) : undefined
  if (histogram === undefined) return undefined
  const upTo = durationBucketsSeconds.map((bound, index) => {
    const bucket = histogram.bucket[index]
    return bucket?.upperBound === bound ? Number(bucket.cumulativeCount) : -1
  })
  upTo.push(Number(histogram.sampleCount))
  const counts = Float64Array.from(upTo, (count, index) => count - (upTo[index - 1] ?? 0))
  return counts.every(isCount) ? counts : undefined
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

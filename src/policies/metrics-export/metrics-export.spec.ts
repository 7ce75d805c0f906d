// Who is told what has been counted, how often and under which names; the data points themselves, as OTLP has them.
import type { AttributeValue, TraceCollectorSpec } from '../tracing/tracing.spec.ts'

export interface MetricsExportSpec {
  /** Absent: nobody is told; who asks gets histograms in that form. */
  readonly collector?: TraceCollectorSpec
  readonly intervalMs: number
  /** Of requests and connections. */
  readonly names: MetricNames
  readonly histograms: HistogramForm
}

/** With somebody who is told. */
export interface MetricsPushSpec extends MetricsExportSpec {
  readonly collector: TraceCollectorSpec
}

/** `openTelemetry`: of its semantic conventions. */
export type MetricNames = 'openTelemetry' | 'istio'

/** `exponential`: beside the buckets with fixed bounds, of which the greatest error is not known beforehand. */
export type HistogramForm = 'explicit' | 'exponential'

export interface ExportedMetric {
  readonly name: string
  readonly description: string
  /** By UCUM: "s", "By", "{request}", "1". */
  readonly unit: string
  readonly kind: 'sum' | 'gauge' | 'histogram' | 'exponential'
  /** Made when they are sent, not before. */
  readonly points: Iterable<ExportedPoint>
}

/** One message's share of a metric. */
export interface MetricPoints extends Omit<ExportedMetric, 'points'> {
  readonly points: readonly ExportedPoint[]
}

/** Of one label set. Totals since the process began. */
export interface ExportedPoint {
  readonly attributes: Readonly<Record<string, AttributeValue | undefined>>
  readonly value: number | HistogramValue | ExponentialValue
}

export interface HistogramValue {
  readonly kind: 'explicit'
  readonly bounds: readonly number[]
  /** Of each bucket alone, that beyond the last bound last. */
  readonly counts: ArrayLike<number> & Iterable<number>
  readonly sum: number
  readonly exemplars: readonly ExportedExemplar[]
}

export interface ExponentialValue {
  readonly kind: 'exponential'
  /** Bounds of buckets are powers of 2^(2^-scale). */
  readonly scale: number
  /** Of the first of `counts`: it reaches from that power up to the next, which belongs to it. */
  readonly offset: number
  readonly counts: ArrayLike<number> & Iterable<number>
  /** Of what is not more than `zeroThreshold`. */
  readonly zeroCount: number
  readonly zeroThreshold: number
  readonly sum: number
  /** Since when it counts, milliseconds since the Unix epoch: it may have been asked for late. */
  readonly sinceMs: number
  readonly exemplars: readonly ExportedExemplar[]
}

export interface ExportedExemplar {
  readonly traceId: string
  readonly spanId: string
  readonly value: number
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number
}

// Data points → ExportMetricsServiceRequest of OTLP, the message of both OTLP/gRPC and OTLP/HTTP. Totals are cumulative: a message that is lost is
// made up for by the next.
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'

import type { AnyValueSchema, KeyValueSchema } from '../../contracts/xds/gen/opentelemetry/common_pb.ts'
import {
  AggregationTemporality,
  type ExemplarSchema,
  type ExponentialHistogramDataPointSchema,
  ExportMetricsServiceRequestSchema,
  ExportMetricsServiceResponseSchema,
  type HistogramDataPointSchema,
  type MetricSchema,
  MetricsService,
  type NumberDataPointSchema,
} from '../../contracts/xds/gen/opentelemetry/metrics_export_pb.ts'
import { nanoseconds, type OtlpAttributes, type OtlpSignal } from '../otlp.xds.ts'
import type { AttributeValue } from '../tracing/tracing.spec.ts'
import type {
  ExponentialValue,
  ExportedExemplar,
  ExportedPoint,
  HistogramValue,
  MetricPoints,
} from './metrics-export.spec.ts'

const aggregationTemporality = AggregationTemporality.CUMULATIVE

export const metricsSignal: OtlpSignal = {
  grpcPath: `/${MetricsService.typeName}/${MetricsService.method.export.name}`,
  rejected: decodeRejectedPoints,
}

/** Milliseconds since the Unix epoch: when the totals began, and when they were read. */
export interface MetricTimes {
  readonly startMs: number
  readonly nowMs: number
}

/** `resource`: who has counted. */
export function encodeMetricsExport(
  resource: OtlpAttributes,
  metrics: readonly MetricPoints[],
  times: MetricTimes,
): Uint8Array {
  return toBinary(
    ExportMetricsServiceRequestSchema,
    create(ExportMetricsServiceRequestSchema, {
      resourceMetrics: [
        {
          resource: { attributes: encodeAttributes(resource) },
          scopeMetrics: [{ scope: { name: 'heddle' }, metrics: metrics.map((metric) => encodeMetric(metric, times)) }],
        },
      ],
    }),
  )
}

/** How many points the collector has refused. Throws an Error where it is no such message. */
function decodeRejectedPoints(bytes: Uint8Array): number {
  return Number(fromBinary(ExportMetricsServiceResponseSchema, bytes).partialSuccess?.rejectedDataPoints ?? 0n)
}

function encodeMetric(metric: MetricPoints, times: MetricTimes): MessageInitShape<typeof MetricSchema> {
  const { name, description, unit } = metric
  return { name, description, unit, data: encodeData(metric, times) }
}

function encodeData(
  { kind, points }: MetricPoints,
  times: MetricTimes,
): NonNullable<MessageInitShape<typeof MetricSchema>['data']> {
  const startTimeUnixNano = nanoseconds(times.startMs)
  const timeUnixNano = nanoseconds(times.nowMs)
  if (kind === 'gauge')
    return { case: 'gauge', value: { dataPoints: points.map((point) => encodeNumber(point, 0n, timeUnixNano)) } }
  if (kind === 'sum') {
    const dataPoints = points.map((point) => encodeNumber(point, startTimeUnixNano, timeUnixNano))
    return { case: 'sum', value: { aggregationTemporality, isMonotonic: true, dataPoints } }
  }
  if (kind === 'histogram') {
    const dataPoints = points.map((point) => encodeHistogram(point, startTimeUnixNano, timeUnixNano))
    return { case: 'histogram', value: { aggregationTemporality, dataPoints } }
  }
  const dataPoints = points.map((point) => encodeExponential(point, timeUnixNano))
  return { case: 'exponentialHistogram', value: { aggregationTemporality, dataPoints } }
}

/** A counter that only ever took whole numbers is one of whole numbers. */
function encodeNumber(
  { attributes, value }: ExportedPoint,
  startTimeUnixNano: bigint,
  timeUnixNano: bigint,
): MessageInitShape<typeof NumberDataPointSchema> {
  const number = value as number
  return {
    startTimeUnixNano,
    timeUnixNano,
    value: Number.isSafeInteger(number)
      ? { case: 'asInt', value: BigInt(number) }
      : { case: 'asDouble', value: number },
    attributes: encodeAttributes(attributes),
  }
}

function encodeHistogram(
  { attributes, value }: ExportedPoint,
  startTimeUnixNano: bigint,
  timeUnixNano: bigint,
): MessageInitShape<typeof HistogramDataPointSchema> {
  const { bounds, counts, sum, exemplars } = value as HistogramValue
  return {
    startTimeUnixNano,
    timeUnixNano,
    count: BigInt(total(counts)),
    sum,
    // without bounds there is one bucket, which is the count
    bucketCounts: bounds.length === 0 ? [] : Array.from(counts, BigInt),
    explicitBounds: [...bounds],
    exemplars: exemplars.map(encodeExemplar),
    attributes: encodeAttributes(attributes),
  }
}

function encodeExponential(
  { attributes, value }: ExportedPoint,
  timeUnixNano: bigint,
): MessageInitShape<typeof ExponentialHistogramDataPointSchema> {
  const { scale, offset, counts, zeroCount, zeroThreshold, sum, sinceMs, exemplars } = value as ExponentialValue
  return {
    attributes: encodeAttributes(attributes),
    startTimeUnixNano: nanoseconds(sinceMs),
    timeUnixNano,
    count: BigInt(total(counts) + zeroCount),
    sum,
    scale,
    zeroCount: BigInt(zeroCount),
    zeroThreshold,
    positive: { offset, bucketCounts: Array.from(counts, BigInt) },
    exemplars: exemplars.map(encodeExemplar),
  }
}

function encodeExemplar({ traceId, spanId, value, atMs }: ExportedExemplar): MessageInitShape<typeof ExemplarSchema> {
  return {
    timeUnixNano: nanoseconds(atMs),
    asDouble: value,
    traceId: Buffer.from(traceId, 'hex'),
    spanId: Buffer.from(spanId, 'hex'),
  }
}

function total(counts: Iterable<number>): number {
  let sum = 0
  for (const count of counts) sum += count
  return sum
}

function encodeAttributes(attributes: OtlpAttributes): MessageInitShape<typeof KeyValueSchema>[] {
  return Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value: encodeValue(value) }],
  )
}

function encodeValue(value: AttributeValue): MessageInitShape<typeof AnyValueSchema> {
  if (typeof value === 'string') return { value: { case: 'stringValue', value } }
  if (typeof value === 'boolean') return { value: { case: 'boolValue', value } }
  return {
    value: Number.isSafeInteger(value) ? { case: 'intValue', value: BigInt(value) } : { case: 'doubleValue', value },
  }
}

// Metrics of OTLP as a collector reads them, by OpenTelemetry's own generated code.
import { createRequire } from 'node:module'

export interface CollectedResource {
  readonly attributes: Readonly<Record<string, string>>
  readonly metrics: readonly CollectedMetric[]
}

export interface CollectedMetric {
  readonly name: string
  readonly description: string
  readonly unit: string
  readonly kind: 'sum' | 'gauge' | 'histogram' | 'exponential'
  readonly cumulative?: boolean
  readonly monotonic?: boolean
  readonly points: readonly CollectedPoint[]
}

/** Of a number, a histogram or an exponential histogram. */
export interface CollectedPoint {
  readonly attributes: Readonly<Record<string, string>>
  readonly startNano: string
  readonly timeNano: string
  readonly value?: number
  readonly count?: number
  readonly sum?: number
  readonly bounds?: readonly number[]
  readonly counts?: readonly number[]
  readonly scale?: number
  readonly offset?: number
  readonly zeroCount?: number
  readonly exemplars?: readonly { readonly traceId: string; readonly spanId: string; readonly value: number }[]
}

interface DecodedValue {
  readonly key: string
  readonly value?: Readonly<Record<string, string | number | boolean>>
}

interface DecodedPoint {
  readonly attributes?: readonly DecodedValue[]
  readonly startTimeUnixNano?: string
  readonly timeUnixNano: string
  readonly asInt?: string
  readonly asDouble?: number
  readonly count?: string
  readonly sum?: number
  readonly bucketCounts?: readonly string[]
  readonly explicitBounds?: readonly number[]
  readonly scale?: number
  readonly zeroCount?: string
  readonly positive?: { readonly offset?: number; readonly bucketCounts?: readonly string[] }
  readonly exemplars?: readonly {
    readonly traceId: Uint8Array
    readonly spanId: Uint8Array
    readonly asDouble: number
  }[]
}

interface DecodedData {
  readonly dataPoints?: readonly DecodedPoint[]
  readonly aggregationTemporality?: string
  readonly isMonotonic?: boolean
}

interface DecodedMetric {
  readonly name: string
  readonly description?: string
  readonly unit?: string
  readonly sum?: DecodedData
  readonly gauge?: DecodedData
  readonly histogram?: DecodedData
  readonly exponentialHistogram?: DecodedData
}

interface Decoded {
  readonly resourceMetrics?: readonly {
    readonly resource?: { readonly attributes?: readonly DecodedValue[] }
    readonly scopeMetrics?: readonly { readonly metrics?: readonly DecodedMetric[] }[]
  }[]
}

interface Message {
  decode(bytes: Uint8Array): unknown
  toObject(message: unknown, options: object): Decoded
}

const generated = createRequire(import.meta.url)('@opentelemetry/otlp-transformer/build/src/generated/root.js') as {
  readonly opentelemetry: { proto: { collector: { metrics: { v1: { ExportMetricsServiceRequest: Message } } } } }
}
const { ExportMetricsServiceRequest } = generated.opentelemetry.proto.collector.metrics.v1

export function decodeMetrics(message: Uint8Array): CollectedResource[] {
  const read = ExportMetricsServiceRequest.toObject(ExportMetricsServiceRequest.decode(message), {
    longs: String,
    enums: String,
  })
  return (read.resourceMetrics ?? []).map(({ resource, scopeMetrics = [] }) => ({
    attributes: attributesOf(resource?.attributes),
    metrics: scopeMetrics.flatMap(({ metrics = [] }) => metrics.map(toMetric)),
  }))
}

function toMetric(metric: DecodedMetric): CollectedMetric {
  const { name, description = '', unit = '', sum, gauge, histogram, exponentialHistogram } = metric
  const data = sum ?? gauge ?? histogram ?? exponentialHistogram ?? {}
  const kind = sum ? 'sum' : gauge ? 'gauge' : histogram ? 'histogram' : 'exponential'
  const temporality = data.aggregationTemporality
  return {
    name,
    description,
    unit,
    kind,
    ...(temporality === undefined ? {} : { cumulative: temporality === 'AGGREGATION_TEMPORALITY_CUMULATIVE' }),
    ...(data.isMonotonic === undefined ? {} : { monotonic: data.isMonotonic }),
    points: (data.dataPoints ?? []).map((point) => toPoint(point, kind)),
  }
}

function toPoint(point: DecodedPoint, kind: CollectedMetric['kind']): CollectedPoint {
  const common = {
    attributes: attributesOf(point.attributes),
    startNano: point.startTimeUnixNano ?? '0',
    timeNano: point.timeUnixNano,
  }
  if (kind === 'sum' || kind === 'gauge') return { ...common, value: Number(point.asInt ?? point.asDouble ?? 0) }
  const exemplars = (point.exemplars ?? []).map(({ traceId, spanId, asDouble }) => ({
    traceId: Buffer.from(traceId).toString('hex'),
    spanId: Buffer.from(spanId).toString('hex'),
    value: asDouble,
  }))
  const observed = { ...common, count: Number(point.count ?? 0), sum: point.sum ?? 0, exemplars }
  if (kind === 'histogram')
    return { ...observed, bounds: point.explicitBounds ?? [], counts: (point.bucketCounts ?? []).map(Number) }
  return {
    ...observed,
    scale: point.scale ?? 0,
    zeroCount: Number(point.zeroCount ?? 0),
    offset: point.positive?.offset ?? 0,
    counts: (point.positive?.bucketCounts ?? []).map(Number),
  }
}

function attributesOf(values: readonly DecodedValue[] = []): Record<string, string> {
  return Object.fromEntries(values.map(({ key, value = {} }) => [key, String(Object.values(value)[0])]))
}

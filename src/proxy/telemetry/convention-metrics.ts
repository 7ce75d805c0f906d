// What a sidecar has counted of requests under the names and attributes of OpenTelemetry's semantic conventions for HTTP
// (opentelemetry.io/docs/specs/semconv/http/http-metrics). Made of Heddle's own series when they are sent: counting costs nothing more.
import { noFlagsLabel, otherMethodLabel, proxyMetrics, unknownLabel } from '../../contracts/telemetry/metrics.ts'
import type { Clock } from '../../core/clock.ts'
import type { MetricDefinition } from '../../core/metrics/metric-definition.ts'
import type { MetricRegistry } from '../../core/metrics/metric-registry.ts'
import { Counter, Histogram, type SeriesTable } from '../../core/metrics/series-table.ts'
import {
  type Attributes,
  kindOf,
  ownMetrics,
  pointsOf,
  valueOf,
} from '../../policies/metrics-export/exported-metrics.runtime.ts'
import type { ExportedMetric, HistogramValue } from '../../policies/metrics-export/metrics-export.spec.ts'

/** By what the conventions call it. Of sizes there are sum and count alone, without buckets. */
const names = new Map<MetricDefinition, Pick<ExportedMetric, 'name' | 'unit'>>([
  [proxyMetrics.requestDuration, { name: 'request.duration', unit: 's' }],
  [proxyMetrics.requestBytes, { name: 'request.body.size', unit: 'By' }],
  [proxyMetrics.responseBytes, { name: 'response.body.size', unit: 'By' }],
])

export function* conventionMetrics(registry: MetricRegistry, clock: Clock): Generator<ExportedMetric> {
  const requests = registry.tables.find((table) => columnOf(table, proxyMetrics.requests) !== undefined)
  if (requests !== undefined) {
    yield* requestMetrics(requests, 'server', clock)
    yield* requestMetrics(requests, 'client', clock)
  }
  // how many requests there were says the count of their durations
  yield* ownMetrics(registry, clock, (definition) => definition === proxyMetrics.requests || names.has(definition))
}

/** A caller's sidecar is a client; a callee's, and a gateway, is a server. What is beyond the cap of series is told of servers. */
function* requestMetrics(table: SeriesTable, side: 'client' | 'server', clock: Clock): Generator<ExportedMetric> {
  const reporter = table.labels.indexOf('reporter')
  const wants = (values: readonly string[]): boolean => (values[reporter] === 'source') === (side === 'client')
  if (!table.rows.some(wants)) return
  const requests = columnOf(table, proxyMetrics.requests)
  const attributes = (labels: readonly string[], values: readonly string[]): Attributes =>
    requestAttributes((label) => values[labels.indexOf(label)] ?? '', side)
  for (const column of table.columns) {
    const named = names.get(column.definition)
    if (named === undefined) continue
    const value = valueOf(column, clock)
    const size = (row: number): HistogramValue => {
      return {
        kind: 'explicit',
        bounds: [],
        counts: [requests?.value(row) ?? 0],
        sum: value(row) as number,
        exemplars: [],
      }
    }
    const isDuration = column instanceof Histogram
    yield {
      name: `http.${side}.${named.name}`,
      description: column.definition.help,
      unit: named.unit,
      kind: isDuration ? kindOf(column) : 'histogram',
      points: pointsOf(table, isDuration ? value : size, attributes, wants),
    }
  }
}

/** Names are those that spans have. `url.scheme` and `server.port` are not told: they are not counted apart. */
function requestAttributes(of: (label: string) => string, side: 'client' | 'server'): Attributes {
  const known = (label: string): string | undefined => {
    const value = of(label)
    return value === unknownLabel || value === '' ? undefined : value
  }
  const method = of('method')
  const status = Number(of('code'))
  const [flag] = of('flags').split(',')
  const grpcStatus = known('grpc_status')
  const service = known('destination_service')
  return {
    'http.request.method': method === otherMethodLabel ? '_OTHER' : method,
    'http.response.status_code': status === 0 ? undefined : status,
    'error.type': errorType(flag === noFlagsLabel ? undefined : flag, status, side),
    'network.protocol.version': known('protocol')?.split('/')[1],
    'server.address': service,
    'rpc.grpc.status_code': grpcStatus === undefined ? undefined : Number(grpcStatus),
    'heddle.reporter': of('reporter'),
    'heddle.source.workload': known('source_workload'),
    'heddle.source.principal': known('source_principal'),
    'heddle.destination.workload': known('destination_workload'),
    'heddle.destination.principal': known('destination_principal'),
    'heddle.destination.service': service,
    'heddle.route': known('route'),
    'heddle.response_flags': flag === noFlagsLabel ? undefined : of('flags'),
  }
}

/** To a client every status of 400 and more is an error, to a server those of 500 and more. */
function errorType(flag: string | undefined, status: number, side: 'client' | 'server'): string | undefined {
  if (flag !== undefined) return flag
  return status === 0 || status >= (side === 'client' ? 400 : 500) ? String(status) : undefined
}

function columnOf(table: SeriesTable, definition: MetricDefinition): Counter | undefined {
  const found = table.columns.find((column) => column.definition === definition)
  return found instanceof Counter ? found : undefined
}

// What a sidecar has counted under the names and labels of Istio's standard metrics (istio.io/latest/docs/reference/config/metrics): for dashboards,
// Kiali and Flagger, which read those. Made of Heddle's own series when somebody asks: counting costs nothing more.
import { parseSpiffeId } from '../../contracts/identity/spiffe-id.ts'
import { durationBucketsSeconds, proxyMetrics, unknownLabel } from '../../contracts/telemetry/metrics.ts'
import type { Clock } from '../../core/clock.ts'
import type { MetricDefinition } from '../../core/metrics/metric-definition.ts'
import type { MetricRegistry } from '../../core/metrics/metric-registry.ts'
import {
  formatHead,
  formatHistogram,
  formatPairs,
  formatSample,
  type MetricsFormat,
} from '../../core/metrics/prometheus.ts'
import { Counter, Histogram, type SeriesTable } from '../../core/metrics/series-table.ts'
import { ownMetrics } from '../../policies/metrics-export/exported-metrics.runtime.ts'
import type { ExportedMetric } from '../../policies/metrics-export/metrics-export.spec.ts'

const labelNames = [
  'reporter',
  'source_workload',
  'source_workload_namespace',
  'source_canonical_service',
  'source_principal',
  'source_app',
  'destination_workload',
  'destination_workload_namespace',
  'destination_canonical_service',
  'destination_principal',
  'destination_app',
  'destination_service',
  'destination_service_name',
  'destination_service_namespace',
  'connection_security_policy',
] as const

const requestLabelNames = [
  ...labelNames,
  'request_protocol',
  'response_code',
  'grpc_response_status',
  'response_flags',
] as const

/** Of one label set of Istio's: those of Heddle that it joins. */
interface Sums {
  readonly labels: readonly string[]
  requests: number
  readonly buckets: Float64Array
  durationSeconds: number
  requestBytes: number
  responseBytes: number
}

/** One of Istio's metrics, of which there may be several forms: text for who scrapes, points for who is told. */
interface IstioMetric {
  readonly name: string
  readonly help: string
  readonly kind: 'counter' | 'histogram'
  readonly labelNames: readonly string[]
  readonly series: readonly IstioSeries[]
}

interface IstioSeries {
  readonly labels: readonly string[]
  /** A histogram has bounds, and one count more than these. */
  readonly value:
    | number
    | {
        readonly bounds: readonly number[]
        readonly counts: ArrayLike<number> & Iterable<number>
        readonly sum: number
      }
}

export function renderIstioMetrics(registry: MetricRegistry, format: MetricsFormat = 'prometheus'): string {
  const text = istioMetrics(registry)
    .map(({ name, help, kind, labelNames: names, series }) => {
      const lines = series.map(({ labels, value }) => {
        const pairs = formatPairs(names, labels)
        if (typeof value === 'number') return formatSample(name, pairs, value)
        return formatHistogram(name, pairs, value.bounds, value.counts, value.sum)
      })
      return formatHead(name, help, kind, format) + lines.join('')
    })
    .join('')
  return format === 'openmetrics' ? `${text}# EOF\n` : text
}

/** For a collector: Istio's names of requests and connections, Heddle's own of the rest. */
export function* exportedIstioMetrics(registry: MetricRegistry, clock: Clock): Generator<ExportedMetric> {
  for (const { name, help: description, kind, labelNames: names, series } of istioMetrics(registry))
    yield {
      name,
      description,
      unit: '',
      kind: kind === 'counter' ? 'sum' : 'histogram',
      points: series.map(({ labels, value }) => ({
        attributes: Object.fromEntries(names.map((label, index) => [label, labels[index]])),
        value: typeof value === 'number' ? value : { kind: 'explicit', ...value, exemplars: [] },
      })),
    }
  yield* ownMetrics(registry, clock, (definition) => renamed.has(definition))
}

function istioMetrics(registry: MetricRegistry): IstioMetric[] {
  return [...requestMetrics(registry), ...tcpMetrics(registry)]
}

function requestMetrics(registry: MetricRegistry): IstioMetric[] {
  const table = tableOf(registry, proxyMetrics.requests)
  if (table === undefined || table.rows.length === 0) return []
  const all = sumByIstioLabels(table)
  const bounds = durationBucketsSeconds.map((seconds) => Math.round(seconds * 1e6) / 1e3)
  const metric = (
    name: string,
    help: string,
    kind: IstioMetric['kind'],
    valueOf: (sums: Sums) => IstioSeries['value'],
  ): IstioMetric => {
    const series = all.map((sums) => ({ labels: sums.labels, value: valueOf(sums) }))
    return { name, help, kind, labelNames: requestLabelNames, series }
  }
  const bytes = 'Bytes of bodies; sum and count alone, without buckets.'
  return [
    metric('istio_requests_total', 'Requests.', 'counter', ({ requests }) => requests),
    metric(
      'istio_request_duration_milliseconds',
      'Duration of requests in milliseconds.',
      'histogram',
      ({ buckets, durationSeconds }) => ({ bounds, counts: buckets, sum: durationSeconds * 1_000 }),
    ),
    metric('istio_request_bytes', bytes, 'histogram', ({ requests, requestBytes }) => ({
      bounds: [],
      counts: [requests],
      sum: requestBytes,
    })),
    metric('istio_response_bytes', bytes, 'histogram', ({ requests, responseBytes }) => ({
      bounds: [],
      counts: [requests],
      sum: responseBytes,
    })),
  ]
}

function sumByIstioLabels(table: SeriesTable): Sums[] {
  const requests = columnOf(table, proxyMetrics.requests)
  const duration = table.columns.find((column) => column instanceof Histogram)
  const requestBytes = columnOf(table, proxyMetrics.requestBytes)
  const responseBytes = columnOf(table, proxyMetrics.responseBytes)
  const byLabels = new Map<string, Sums>()
  for (const [row, values] of table.rows.entries()) {
    const of = (label: string): string => values[table.labels.indexOf(label)] ?? unknownLabel
    const grpc = of('grpc_status')
    const labels = [...edgeLabels(of), grpc === '' ? 'http' : 'grpc', of('code'), grpc, of('flags')]
    const key = labels.join('\n')
    const sum = byLabels.get(key) ?? {
      labels,
      requests: 0,
      buckets: new Float64Array(durationBucketsSeconds.length + 1),
      durationSeconds: 0,
      requestBytes: 0,
      responseBytes: 0,
    }
    byLabels.set(key, sum)
    sum.requests += requests?.value(row) ?? 0
    sum.requestBytes += requestBytes?.value(row) ?? 0
    sum.responseBytes += responseBytes?.value(row) ?? 0
    sum.durationSeconds += duration?.sum(row) ?? 0
    for (const [bucket, count] of duration?.counts(row).entries() ?? [])
      sum.buckets[bucket] = (sum.buckets[bucket] as number) + count
  }
  return [...byLabels.values()]
}

/** In the order of `labelNames`. */
function edgeLabels(of: (label: string) => string): string[] {
  const reporter = of('reporter')
  const principal = of('source_principal')
  const known = of('source_workload')
  // who is called knows its caller by the certificate alone: the service account stands for the workload
  const account = known === unknownLabel ? parseSpiffeId(principal) : undefined
  const source = account === undefined ? parts(known) : parts(`${account.namespace}/${account.serviceAccount}`)
  const destination = parts(of('destination_workload'))
  return [
    // to Istio a gateway is a source
    reporter === 'gateway' ? 'source' : reporter,
    source.name,
    source.namespace,
    source.name,
    principal,
    source.name,
    destination.name,
    destination.namespace,
    destination.name,
    unknownLabel,
    destination.name,
    ...serviceLabels(of('destination_service')),
    securityPolicy(reporter, principal),
  ]
}

/** The callee alone knows, as in Istio. */
function securityPolicy(reporter: string, principal: string): string {
  if (reporter !== 'destination') return unknownLabel
  return principal === unknownLabel ? 'none' : 'mutual_tls'
}

/** Of "reviews.default.svc.cluster.local". */
function serviceLabels(host: string): [service: string, name: string, namespace: string] {
  const [name = host, namespace, svc] = host.split('.')
  return svc === 'svc' ? [host, name, namespace ?? unknownLabel] : [host, host, unknownLabel]
}

/** Of "namespace/name". */
function parts(workload: string): { readonly namespace: string; readonly name: string } {
  const [namespace, name] = workload.split('/')
  return name === undefined ? { namespace: unknownLabel, name: workload } : { namespace: namespace ?? '', name }
}

const tcpNames: readonly (readonly [istio: string, own: MetricDefinition])[] = [
  ['istio_tcp_connections_opened_total', proxyMetrics.tcpOpened],
  ['istio_tcp_connections_closed_total', proxyMetrics.tcpClosed],
  ['istio_tcp_sent_bytes_total', proxyMetrics.tcpSentBytes],
  ['istio_tcp_received_bytes_total', proxyMetrics.tcpReceivedBytes],
]

/** Told under Istio's names. */
const renamed: ReadonlySet<MetricDefinition> = new Set([
  proxyMetrics.requests,
  proxyMetrics.requestDuration,
  proxyMetrics.requestBytes,
  proxyMetrics.responseBytes,
  ...tcpNames.map(([, own]) => own),
])

const tcpLabelNames = ['destination_service', 'destination_service_name', 'destination_service_namespace'] as const

function tcpMetrics(registry: MetricRegistry): IstioMetric[] {
  const table = tableOf(registry, proxyMetrics.tcpOpened)
  if (table === undefined || table.rows.length === 0) return []
  const cluster = table.labels.indexOf('cluster')
  return tcpNames.map(([name, own]) => {
    const column = columnOf(table, own)
    const byHost = new Map<string, number>()
    for (const [row, values] of table.rows.entries()) {
      const host = (values[cluster] ?? unknownLabel).replace(/:[0-9]+$/, '')
      byHost.set(host, (byHost.get(host) ?? 0) + (column?.value(row) ?? 0))
    }
    const series = [...byHost].map(([host, value]) => ({ labels: serviceLabels(host), value }))
    return { name, help: own.help, kind: 'counter', labelNames: tcpLabelNames, series }
  })
}

function tableOf(registry: MetricRegistry, definition: MetricDefinition): SeriesTable | undefined {
  return registry.tables.find((table) => columnOf(table, definition) !== undefined)
}

function columnOf(table: SeriesTable, definition: MetricDefinition): Counter | undefined {
  const found = table.columns.find((column) => column.definition === definition)
  return found instanceof Counter ? found : undefined
}

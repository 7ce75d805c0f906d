// What a sidecar has counted under the names and labels of Istio's standard metrics (istio.io/latest/docs/reference/config/metrics): for dashboards,
// Kiali and Flagger, which read those. Made of Heddle's own series when somebody asks: counting costs nothing more.
import { parseSpiffeId } from '../../contracts/identity/spiffe-id.ts'
import { durationBucketsSeconds, proxyMetrics, unknownLabel } from '../../contracts/telemetry/metrics.ts'
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
  requests: number
  readonly buckets: Float64Array
  durationSeconds: number
  requestBytes: number
  responseBytes: number
}

export function renderIstioMetrics(registry: MetricRegistry, format: MetricsFormat = 'prometheus'): string {
  const text = renderRequests(registry, format) + renderTcp(registry, format)
  return format === 'openmetrics' ? `${text}# EOF\n` : text
}

function renderRequests(registry: MetricRegistry, format: MetricsFormat): string {
  const table = tableOf(registry, proxyMetrics.requests)
  if (table === undefined || table.rows.length === 0) return ''
  const sums = sumByIstioLabels(table)
  const bounds = durationBucketsSeconds.map((seconds) => Math.round(seconds * 1e6) / 1e3)
  const all = [...sums]
  const bytes = (name: string, of: 'requestBytes' | 'responseBytes'): string =>
    formatHead(name, 'Bytes of bodies; sum and count alone, without buckets.', 'histogram', format) +
    all.map(([pairs, one]) => formatHistogram(name, pairs, [], [one.requests], one[of])).join('')
  return [
    formatHead('istio_requests_total', 'Requests.', 'counter', format),
    ...all.map(([pairs, { requests }]) => formatSample('istio_requests_total', pairs, requests)),
    formatHead('istio_request_duration_milliseconds', 'Duration of requests in milliseconds.', 'histogram', format),
    ...all.map(([pairs, { buckets, durationSeconds }]) =>
      formatHistogram('istio_request_duration_milliseconds', pairs, bounds, buckets, durationSeconds * 1_000),
    ),
    bytes('istio_request_bytes', 'requestBytes'),
    bytes('istio_response_bytes', 'responseBytes'),
  ].join('')
}

function sumByIstioLabels(table: SeriesTable): Map<string, Sums> {
  const requests = columnOf(table, proxyMetrics.requests)
  const duration = table.columns.find((column) => column instanceof Histogram)
  const requestBytes = columnOf(table, proxyMetrics.requestBytes)
  const responseBytes = columnOf(table, proxyMetrics.responseBytes)
  const sums = new Map<string, Sums>()
  for (const [row, values] of table.rows.entries()) {
    const of = (label: string): string => values[table.labels.indexOf(label)] ?? unknownLabel
    const edge = edgeLabels(of)
    const grpc = of('grpc_status')
    const pairs = formatPairs(requestLabelNames, [
      ...edge,
      grpc === '' ? 'http' : 'grpc',
      of('code'),
      grpc,
      of('flags'),
    ])
    const sum = sums.get(pairs) ?? {
      requests: 0,
      buckets: new Float64Array(durationBucketsSeconds.length + 1),
      durationSeconds: 0,
      requestBytes: 0,
      responseBytes: 0,
    }
    sums.set(pairs, sum)
    sum.requests += requests?.value(row) ?? 0
    sum.requestBytes += requestBytes?.value(row) ?? 0
    sum.responseBytes += responseBytes?.value(row) ?? 0
    sum.durationSeconds += duration?.sum(row) ?? 0
    for (const [bucket, count] of duration?.counts(row).entries() ?? [])
      sum.buckets[bucket] = (sum.buckets[bucket] as number) + count
  }
  return sums
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

const tcpMetrics: readonly (readonly [istio: string, own: MetricDefinition])[] = [
  ['istio_tcp_connections_opened_total', proxyMetrics.tcpOpened],
  ['istio_tcp_connections_closed_total', proxyMetrics.tcpClosed],
  ['istio_tcp_sent_bytes_total', proxyMetrics.tcpSentBytes],
  ['istio_tcp_received_bytes_total', proxyMetrics.tcpReceivedBytes],
]

const tcpLabelNames = ['destination_service', 'destination_service_name', 'destination_service_namespace'] as const

function renderTcp(registry: MetricRegistry, format: MetricsFormat): string {
  const table = tableOf(registry, proxyMetrics.tcpOpened)
  if (table === undefined || table.rows.length === 0) return ''
  const cluster = table.labels.indexOf('cluster')
  return tcpMetrics
    .map(([name, own]) => {
      const column = columnOf(table, own)
      const sums = new Map<string, number>()
      for (const [row, values] of table.rows.entries()) {
        const host = (values[cluster] ?? unknownLabel).replace(/:[0-9]+$/, '')
        const pairs = formatPairs(tcpLabelNames, serviceLabels(host))
        sums.set(pairs, (sums.get(pairs) ?? 0) + (column?.value(row) ?? 0))
      }
      const samples = [...sums].map(([pairs, value]) => formatSample(name, pairs, value))
      return formatHead(name, own.help, 'counter', format) + samples.join('')
    })
    .join('')
}

function tableOf(registry: MetricRegistry, definition: MetricDefinition): SeriesTable | undefined {
  return registry.tables.find((table) => columnOf(table, definition) !== undefined)
}

function columnOf(table: SeriesTable, definition: MetricDefinition): Counter | undefined {
  const found = table.columns.find((column) => column.definition === definition)
  return found instanceof Counter ? found : undefined
}

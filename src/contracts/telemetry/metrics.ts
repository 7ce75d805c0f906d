// Names, labels, units and help of every metric a proxy reports. Dashboards and other people's queries rely on them: nothing is renamed.
import type { MetricDefinition } from '../../core/metrics/metric-definition.ts'

/** Value of a label that the proxy does not know: a caller without identity, a request that met no route. */
export const unknownLabel = 'unknown'
/** Value of `flags` when the proxy itself did nothing to the request. Several flags are joined with ",". */
export const noFlagsLabel = '-'
/** Value of `method` for methods that RFC 9110 and RFC 5789 do not name: callers may invent any number. */
export const otherMethodLabel = 'OTHER'

/** Upper bounds in seconds; the last bucket is +Inf. Finer than usual at the bottom: a hop inside a host takes less than a millisecond. */
export const durationBucketsSeconds: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
]

/**
 * `reporter`: whose proxy counted: source, destination or gateway. `*_workload`: "namespace/name". `*_principal`: SPIFFE ID; that of the other
 * side is unknown without mTLS.
 * `destination_service`: as the configuration calls it. `protocol`: as received, "HTTP/1.1" or "HTTP/2". `code`: status sent downstream, "0" when none was. `grpc_status`: number of the gRPC
 * status, empty where the exchange was no gRPC or ended without one.
 */
const requestLabels = [
  'reporter',
  'source_workload',
  'source_principal',
  'destination_workload',
  'destination_principal',
  'destination_service',
  'route',
  'protocol',
  'method',
  'code',
  'grpc_status',
  'flags',
]

const listenerLabels = ['listener']
const clusterLabels = ['cluster']
const tcpLabels = ['listener', 'cluster']

/** Of every process that pushes. */
const metricPoints: MetricDefinition = {
  name: 'heddle_metric_points_total',
  kind: 'counter',
  help: 'Data points for the collector that metrics are pushed to. result: exported, refused (by it), failed (it could not be reached: the next push makes up for them).',
  labels: ['result'],
}

export type ProxyMetric =
  | 'requests'
  | 'requestDuration'
  | 'requestBytes'
  | 'responseBytes'
  | 'retries'
  | 'downstreamConnections'
  | 'downstreamActive'
  | 'downstreamRefused'
  | 'upstreamConnections'
  | 'upstreamActive'
  | 'upstreamConnectFailures'
  | 'overflows'
  | 'concurrencyLimit'
  | 'outlierEjections'
  | 'outlierEjected'
  | 'mirrored'
  | 'mirrorDuration'
  | 'healthChecks'
  | 'unhealthy'
  | 'tcpOpened'
  | 'tcpClosed'
  | 'tcpFailed'
  | 'tcpSentBytes'
  | 'tcpReceivedBytes'
  | 'configInfo'
  | 'configApplied'
  | 'configRejected'
  | 'certificateExpiry'
  | 'bodiesTapped'
  | 'workloadApiRefused'
  | 'authorization'
  | 'egressRefused'
  | 'rateLimit'
  | 'spans'
  | 'accessLog'
  | 'metricPoints'
  | 'metricReports'
  | 'decisionRecords'
  | 'filterDuration'
  | 'filterFailures'
  | 'filterBypassed'
  | 'filterEvents'
  | 'filterObservations'

export const proxyMetrics: Readonly<Record<ProxyMetric, MetricDefinition>> = {
  requests: {
    name: 'heddle_requests_total',
    kind: 'counter',
    help: 'Requests finished, with whatever outcome.',
    labels: requestLabels,
  },
  requestDuration: {
    name: 'heddle_request_duration_seconds',
    kind: 'histogram',
    help: 'Time from the first byte of a request to the last byte of its response.',
    labels: requestLabels,
  },
  requestBytes: {
    name: 'heddle_request_bytes_total',
    kind: 'counter',
    help: 'Body bytes of finished requests.',
    labels: requestLabels,
  },
  responseBytes: {
    name: 'heddle_response_bytes_total',
    kind: 'counter',
    help: 'Body bytes of the responses to finished requests.',
    labels: requestLabels,
  },
  retries: {
    name: 'heddle_upstream_retries_total',
    kind: 'counter',
    help: 'Attempts that repeated a failed one, by what had gone wrong before.',
    labels: ['cluster', 'reason'],
  },
  downstreamConnections: {
    name: 'heddle_downstream_connections_total',
    kind: 'counter',
    help: 'Connections accepted.',
    labels: listenerLabels,
  },
  downstreamActive: {
    name: 'heddle_downstream_connections_active',
    kind: 'gauge',
    help: 'Accepted connections that are open.',
    labels: listenerLabels,
  },
  downstreamRefused: {
    name: 'heddle_downstream_refused_total',
    kind: 'counter',
    help: 'Connections that never became a request: plaintext on a STRICT listener, a failed handshake, an unreadable head.',
    labels: ['listener', 'reason'],
  },
  upstreamConnections: {
    name: 'heddle_upstream_connections_total',
    kind: 'counter',
    help: 'Connections opened to endpoints.',
    labels: clusterLabels,
  },
  upstreamActive: {
    name: 'heddle_upstream_connections_active',
    kind: 'gauge',
    help: 'Connections to endpoints that are open, idle ones included.',
    labels: clusterLabels,
  },
  upstreamConnectFailures: {
    name: 'heddle_upstream_connect_failures_total',
    kind: 'counter',
    help: 'Connections to endpoints that could not be opened or secured.',
    labels: clusterLabels,
  },
  overflows: {
    name: 'heddle_upstream_overflows_total',
    kind: 'counter',
    help: 'Requests and connections that were refused because a limit of a circuit breaker, of one caller or of adaptive concurrency was reached.',
    labels: ['cluster', 'limit'],
  },
  concurrencyLimit: {
    name: 'heddle_adaptive_concurrency_limit',
    kind: 'gauge',
    help: 'Requests that the application gets at once, as adaptive concurrency has found it out.',
    labels: clusterLabels,
  },
  outlierEjections: {
    name: 'heddle_outlier_ejections_total',
    kind: 'counter',
    help: 'Endpoints passed over for a while because they failed or were slow, by reason.',
    labels: ['cluster', 'reason'],
  },
  outlierEjected: {
    name: 'heddle_outlier_ejected_endpoints',
    kind: 'gauge',
    help: 'Endpoints that are passed over at the moment.',
    labels: clusterLabels,
  },
  mirrored: {
    name: 'heddle_mirror_requests_total',
    kind: 'counter',
    help: 'Requests with a copy, by what came of both. result: same, different, mirror_failed, primary_failed, skipped (too long a body). code: HTTP status, of a gRPC call its own.',
    labels: ['cluster', 'mirror', 'result', 'code', 'mirror_code'],
  },
  mirrorDuration: {
    name: 'heddle_mirror_duration_seconds',
    kind: 'histogram',
    help: 'Time until the response of an endpoint began, of requests that both answered. side: primary or mirror.',
    labels: ['cluster', 'mirror', 'side'],
  },
  healthChecks: {
    name: 'heddle_health_checks_total',
    kind: 'counter',
    help: 'Answers of endpoints to health checks, by result: good or bad.',
    labels: ['cluster', 'result'],
  },
  unhealthy: {
    name: 'heddle_unhealthy_endpoints',
    kind: 'gauge',
    help: 'Endpoints that are passed over because of health checks.',
    labels: clusterLabels,
  },
  tcpOpened: {
    name: 'heddle_tcp_connections_opened_total',
    kind: 'counter',
    help: 'Connections of opaque bytes that were joined to an endpoint.',
    labels: tcpLabels,
  },
  tcpClosed: {
    name: 'heddle_tcp_connections_closed_total',
    kind: 'counter',
    help: 'Connections of opaque bytes that have ended on both sides.',
    labels: tcpLabels,
  },
  tcpFailed: {
    name: 'heddle_tcp_connections_failed_total',
    kind: 'counter',
    help: 'Connections of opaque bytes for which no endpoint could be reached.',
    labels: tcpLabels,
  },
  tcpSentBytes: {
    name: 'heddle_tcp_sent_bytes_total',
    kind: 'counter',
    help: 'Opaque bytes from callers to endpoints.',
    labels: tcpLabels,
  },
  tcpReceivedBytes: {
    name: 'heddle_tcp_received_bytes_total',
    kind: 'counter',
    help: 'Opaque bytes from endpoints to callers.',
    labels: tcpLabels,
  },
  configInfo: {
    name: 'heddle_config_info',
    kind: 'gauge',
    help: 'Always 1; the label says which configuration revision is running.',
    labels: ['revision'],
  },
  configApplied: {
    name: 'heddle_config_applied_total',
    kind: 'counter',
    help: 'Configurations put in force.',
    labels: [],
  },
  configRejected: {
    name: 'heddle_config_rejected_total',
    kind: 'counter',
    help: 'Configurations refused (NACK): the one before goes on.',
    labels: [],
  },
  authorization: {
    name: 'heddle_authorization_total',
    kind: 'counter',
    help: 'Verdicts of authorization policies. mode: enforced, dry_run (what policies with dryRun would say), audit. policy: the rule that decided.',
    labels: ['verdict', 'mode', 'policy'],
  },
  egressRefused: {
    name: 'heddle_egress_refused_total',
    kind: 'counter',
    help: 'Requests and connections that were not let out. reason: policy (of the ExternalService), not_registered (no service of the mesh has that name; destination_service is unknown then).',
    labels: ['source_workload', 'destination_service', 'reason'],
  },
  rateLimit: {
    name: 'heddle_rate_limit_total',
    kind: 'counter',
    help: 'Requests that a rate limit has counted. verdict: allowed, limited, dry_run (beyond the limit, and not refused for it), failed (nobody could be asked).',
    labels: ['limit', 'verdict'],
  },
  spans: {
    name: 'heddle_spans_total',
    kind: 'counter',
    help: 'Spans for the trace collector. result: exported, refused (by it), failed (it could not be reached), overflow (too many were waiting).',
    labels: ['result'],
  },
  accessLog: {
    name: 'heddle_access_log_lines_total',
    kind: 'counter',
    help: 'Lines for the access log. output: stdout, file, collector. result: written, refused (by the collector), failed (the disk said no, the collector could not be reached), overflow (too many were waiting).',
    labels: ['output', 'result'],
  },
  certificateExpiry: {
    name: 'heddle_certificate_expiry_timestamp_seconds',
    kind: 'gauge',
    help: 'When the X.509-SVID of this proxy ends, seconds since the Unix epoch.',
    labels: ['spiffe_id'],
  },
  metricPoints,
  metricReports: {
    name: 'heddle_metric_reports_total',
    kind: 'counter',
    help: 'Reports of changed metrics to the control plane. result: sent, skipped (it is away or slow: the next one makes up for it).',
    labels: ['result'],
  },
  decisionRecords: {
    name: 'heddle_decision_records_total',
    kind: 'counter',
    help: 'Records of failed, repeated, slow and sampled requests for the control plane. result: sent, dropped (too many were waiting, or one was too large).',
    labels: ['result'],
  },
  bodiesTapped: {
    name: 'heddle_body_taps_total',
    kind: 'counter',
    help: 'Taps that began to read bodies of requests.',
    labels: [],
  },
  workloadApiRefused: {
    name: 'heddle_workload_api_refused_total',
    kind: 'counter',
    help: 'Callers of the Workload API that are not registered. reason: the field that did not match, or caller: it is not known who it was.',
    labels: ['reason'],
  },
  filterDuration: {
    name: 'heddle_filter_duration_seconds',
    kind: 'histogram',
    help: 'Time of one call of a TypeScript filter, from its begin to its result.',
    labels: ['filter', 'phase'],
  },
  filterFailures: {
    name: 'heddle_filter_failures_total',
    kind: 'counter',
    help: 'Calls of a TypeScript filter that did not count, by what went wrong; late ones did.',
    labels: ['filter', 'phase', 'reason'],
  },
  filterBypassed: {
    name: 'heddle_filter_bypassed',
    kind: 'gauge',
    help: '1 while requests pass without a TypeScript filter that failed again and again.',
    labels: ['filter'],
  },
  filterEvents: {
    name: 'heddle_filter_events_total',
    kind: 'counter',
    help: 'What TypeScript filters count themselves.',
    labels: ['filter', 'event', 'value'],
  },
  filterObservations: {
    name: 'heddle_filter_observations',
    kind: 'histogram',
    help: 'What TypeScript filters observe themselves, in the unit of the filter.',
    labels: ['filter', 'name'],
  },
}

/** Those that proxies stream to the control plane. */
export const streamedMetrics: readonly ProxyMetric[] = [
  'requestDuration',
  'tcpOpened',
  'tcpFailed',
  'outlierEjections',
  'outlierEjected',
  'unhealthy',
  'certificateExpiry',
  'bodiesTapped',
]

export type ControlPlaneMetric =
  | 'certificateExpiry'
  | 'rotationPhase'
  | 'rotationWaiting'
  | 'svidsIssued'
  | 'signingRefused'
  | 'revocations'
  | 'proxiesConnected'
  | 'metricPoints'

const rotationLabels = ['kind', 'phase']

/** Of the control plane, at `/metrics` of its API. */
export const controlPlaneMetrics: Readonly<Record<ControlPlaneMetric, MetricDefinition>> = {
  certificateExpiry: {
    name: 'heddle_authority_certificate_expiry_timestamp_seconds',
    kind: 'gauge',
    help: 'When a certificate of the authority ends, seconds since the Unix epoch. use: signing, next, retiring.',
    labels: ['role', 'use'],
  },
  rotationPhase: {
    name: 'heddle_authority_rotation_phase_start_timestamp_seconds',
    kind: 'gauge',
    help: 'Since when the rotation under way is in this phase, seconds since the Unix epoch; absent when there is none.',
    labels: rotationLabels,
  },
  rotationWaiting: {
    name: 'heddle_authority_rotation_waiting_proxies',
    kind: 'gauge',
    help: 'Proxies that the phase waits for.',
    labels: rotationLabels,
  },
  svidsIssued: {
    name: 'heddle_svids_issued_total',
    kind: 'counter',
    help: 'SVIDs signed. type: x509, jwt. proof: token (a proxy joined), svid (it showed the one it has).',
    labels: ['type', 'proof'],
  },
  signingRefused: {
    name: 'heddle_signing_requests_refused_total',
    kind: 'counter',
    help: 'Requests for an SVID that were refused.',
    labels: ['reason'],
  },
  revocations: {
    name: 'heddle_revocations',
    kind: 'gauge',
    help: 'Identities of which something is revoked.',
    labels: [],
  },
  proxiesConnected: {
    name: 'heddle_proxies_connected',
    kind: 'gauge',
    help: 'Data planes that are connected for their configuration.',
    labels: [],
  },
  metricPoints,
}

/** `reason` of `signingRefused`. */
export type SigningRefusalReason =
  | 'nothing_shown'
  | 'certificate_expired'
  | 'certificate_revoked'
  | 'token_malformed'
  | 'token_unknown'
  | 'token_expired'
  | 'token_used'
  | 'token_revoked'
  | 'invalid'
  | 'denied'
  | 'failed'

// What one sidecar counts. Fed by the request line as ExchangeSink and ConnectionSink, by the xDS client and the identity agent.
import type { AuthorizationRecord } from '../../contracts/decision-record.ts'
import type { RateLimitCounter } from '../../contracts/http-filter.ts'
import {
  durationBucketsSeconds,
  noFlagsLabel,
  otherMethodLabel,
  proxyMetrics,
  unknownLabel,
} from '../../contracts/telemetry/metrics.ts'
import type { MetricRegistry } from '../../core/metrics/metric-registry.ts'
import type { Counter, Gauge, Histogram, SeriesTable } from '../../core/metrics/series-table.ts'
import type { PushResult } from '../../policies/metrics-export/metrics-push.runtime.ts'
import type { ComparedAnswers, ObservedAnswer } from '../../policies/mirror/mirror-comparison.runtime.ts'
import type { FilterMeter } from '../../policies/typescript-filter/running-filter.runtime.ts'
import type { AccessLogCounter, AccessLogResult } from './access-log.ts'
import type { ConnectionSink, Exchange, ExchangeSink, TelemetryIdentity } from './exchange.ts'
import { FilterMetrics } from './filter-metrics.ts'
import type { BatchResult } from './otlp-batches.ts'

const namedMethods: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  'PATCH',
])

export class ProxyMetrics implements AccessLogCounter, ExchangeSink, ConnectionSink {
  readonly #identity: TelemetryIdentity
  readonly #requestTable: SeriesTable
  /** The last one counted, and its row. */
  #previous: Exchange | undefined
  #row = 0
  readonly #requests: Counter
  readonly #duration: Histogram
  readonly #requestBytes: Counter
  readonly #responseBytes: Counter
  readonly #retryTable: SeriesTable
  readonly #retries: Counter
  readonly #listenerTable: SeriesTable
  readonly #downstreamConnections: Counter
  readonly #downstreamActive: Gauge
  readonly #refusedTable: SeriesTable
  readonly #refused: Counter
  readonly #clusterTable: SeriesTable
  readonly #upstreamConnections: Counter
  readonly #upstreamActive: Gauge
  readonly #upstreamConnectFailures: Counter
  readonly #overflowTable: SeriesTable
  readonly #overflows: Counter
  readonly #concurrencyLimit: Gauge
  readonly #outlierEjected: Gauge
  readonly #ejectionTable: SeriesTable
  readonly #outlierEjections: Counter
  readonly #mirrorTable: SeriesTable
  readonly #mirrored: Counter
  readonly #mirrorTimeTable: SeriesTable
  readonly #mirrorDuration: Histogram
  readonly #healthTable: SeriesTable
  readonly #healthChecks: Counter
  readonly #unhealthy: Gauge
  readonly #tcpTable: SeriesTable
  readonly #tcpOpened: Counter
  readonly #tcpClosed: Counter
  readonly #tcpFailed: Counter
  readonly #tcpSentBytes: Counter
  readonly #tcpReceivedBytes: Counter
  readonly #infoTable: SeriesTable
  readonly #info: Gauge
  readonly #configTable: SeriesTable
  readonly #configApplied: Counter
  readonly #configRejected: Counter
  readonly #bodiesTapped: Counter
  readonly #authorizationTable: SeriesTable
  readonly #authorization: Counter
  readonly #egressTable: SeriesTable
  readonly #egressRefused: Counter
  /** The last verdict counted, and the rows that it counts in. */
  #verdict: AuthorizationRecord | undefined
  #verdictRows: readonly number[] = []
  readonly #rateLimitTable: SeriesTable
  readonly #rateLimit: Counter
  readonly #spanTable: SeriesTable
  readonly #spans: Counter
  readonly #accessLogTable: SeriesTable
  readonly #accessLog: Counter
  readonly #pointTable: SeriesTable
  readonly #points: Counter
  readonly #reportTable: SeriesTable
  readonly #reports: Counter
  readonly #recordTable: SeriesTable
  readonly #records: Counter
  readonly #filters: FilterMetrics
  readonly #certificateTable: SeriesTable
  readonly #certificateExpiry: Gauge

  constructor(registry: MetricRegistry, identity: TelemetryIdentity) {
    this.#identity = identity
    this.#requestTable = registry.table(proxyMetrics.requests.labels)
    this.#requests = this.#requestTable.counter(proxyMetrics.requests)
    this.#duration = this.#requestTable.histogram(proxyMetrics.requestDuration, durationBucketsSeconds)
    this.#requestBytes = this.#requestTable.counter(proxyMetrics.requestBytes)
    this.#responseBytes = this.#requestTable.counter(proxyMetrics.responseBytes)
    this.#retryTable = registry.table(proxyMetrics.retries.labels)
    this.#retries = this.#retryTable.counter(proxyMetrics.retries)
    this.#listenerTable = registry.table(proxyMetrics.downstreamConnections.labels)
    this.#downstreamConnections = this.#listenerTable.counter(proxyMetrics.downstreamConnections)
    this.#downstreamActive = this.#listenerTable.gauge(proxyMetrics.downstreamActive)
    this.#refusedTable = registry.table(proxyMetrics.downstreamRefused.labels)
    this.#refused = this.#refusedTable.counter(proxyMetrics.downstreamRefused)
    this.#clusterTable = registry.table(proxyMetrics.upstreamConnections.labels)
    this.#upstreamConnections = this.#clusterTable.counter(proxyMetrics.upstreamConnections)
    this.#upstreamActive = this.#clusterTable.gauge(proxyMetrics.upstreamActive)
    this.#upstreamConnectFailures = this.#clusterTable.counter(proxyMetrics.upstreamConnectFailures)
    this.#overflowTable = registry.table(proxyMetrics.overflows.labels)
    this.#overflows = this.#overflowTable.counter(proxyMetrics.overflows)
    this.#concurrencyLimit = this.#clusterTable.gauge(proxyMetrics.concurrencyLimit)
    this.#outlierEjected = this.#clusterTable.gauge(proxyMetrics.outlierEjected)
    this.#ejectionTable = registry.table(proxyMetrics.outlierEjections.labels)
    this.#outlierEjections = this.#ejectionTable.counter(proxyMetrics.outlierEjections)
    this.#mirrorTable = registry.table(proxyMetrics.mirrored.labels)
    this.#mirrored = this.#mirrorTable.counter(proxyMetrics.mirrored)
    this.#mirrorTimeTable = registry.table(proxyMetrics.mirrorDuration.labels)
    this.#mirrorDuration = this.#mirrorTimeTable.histogram(proxyMetrics.mirrorDuration, durationBucketsSeconds)
    this.#healthTable = registry.table(proxyMetrics.healthChecks.labels)
    this.#healthChecks = this.#healthTable.counter(proxyMetrics.healthChecks)
    this.#unhealthy = this.#clusterTable.gauge(proxyMetrics.unhealthy)
    this.#tcpTable = registry.table(proxyMetrics.tcpOpened.labels)
    this.#tcpOpened = this.#tcpTable.counter(proxyMetrics.tcpOpened)
    this.#tcpClosed = this.#tcpTable.counter(proxyMetrics.tcpClosed)
    this.#tcpFailed = this.#tcpTable.counter(proxyMetrics.tcpFailed)
    this.#tcpSentBytes = this.#tcpTable.counter(proxyMetrics.tcpSentBytes)
    this.#tcpReceivedBytes = this.#tcpTable.counter(proxyMetrics.tcpReceivedBytes)
    this.#infoTable = registry.table(proxyMetrics.configInfo.labels)
    this.#info = this.#infoTable.gauge(proxyMetrics.configInfo)
    this.#configTable = registry.table([])
    this.#configApplied = this.#configTable.counter(proxyMetrics.configApplied)
    this.#configRejected = this.#configTable.counter(proxyMetrics.configRejected)
    this.#bodiesTapped = this.#configTable.counter(proxyMetrics.bodiesTapped)
    this.#authorizationTable = registry.table(proxyMetrics.authorization.labels)
    this.#authorization = this.#authorizationTable.counter(proxyMetrics.authorization)
    this.#egressTable = registry.table(proxyMetrics.egressRefused.labels)
    this.#egressRefused = this.#egressTable.counter(proxyMetrics.egressRefused)
    this.#rateLimitTable = registry.table(proxyMetrics.rateLimit.labels)
    this.#rateLimit = this.#rateLimitTable.counter(proxyMetrics.rateLimit)
    this.#spanTable = registry.table(proxyMetrics.spans.labels)
    this.#spans = this.#spanTable.counter(proxyMetrics.spans)
    this.#accessLogTable = registry.table(proxyMetrics.accessLog.labels)
    this.#accessLog = this.#accessLogTable.counter(proxyMetrics.accessLog)
    this.#pointTable = registry.table(proxyMetrics.metricPoints.labels)
    this.#points = this.#pointTable.counter(proxyMetrics.metricPoints)
    this.#reportTable = registry.table(proxyMetrics.metricReports.labels)
    this.#reports = this.#reportTable.counter(proxyMetrics.metricReports)
    this.#recordTable = registry.table(proxyMetrics.decisionRecords.labels)
    this.#records = this.#recordTable.counter(proxyMetrics.decisionRecords)
    this.#filters = new FilterMetrics(registry)
    this.#certificateTable = registry.table(proxyMetrics.certificateExpiry.labels)
    this.#certificateExpiry = this.#certificateTable.gauge(proxyMetrics.certificateExpiry)
  }

  finished(exchange: Exchange): void {
    if (exchange.muted?.metrics === true) return
    if (exchange.authorization !== undefined) this.#countVerdict(exchange.authorization)
    if (exchange.egressRefused !== undefined) this.#countEgress(exchange.egressRefused, exchange.destinationService)
    // Not a request: it was counted while it lived.
    if (exchange.protocol === 'TCP') return
    const row = this.#requestRow(exchange)
    this.#requests.add(row, 1)
    this.#duration.observe(row, exchange.durationMs / 1000)
    const trace = exchange.traced?.context
    if (trace?.sampled === true) {
      const { startMonotonicMs, durationMs } = exchange
      const { traceId, spanId } = trace
      const atMonotonicMs = startMonotonicMs + durationMs
      this.#duration.exemplify(row, { traceId, spanId, value: durationMs / 1000, atMonotonicMs })
    }
    this.#requestBytes.add(row, exchange.requestBytes)
    this.#responseBytes.add(row, exchange.responseBytes)
    if (exchange.attempts.length > 1) this.#countRetries(exchange)
  }

  downstreamOpened(listener: string): void {
    const row = this.#listenerTable.row(listener)
    this.#downstreamConnections.add(row, 1)
    this.#downstreamActive.add(row, 1)
  }

  downstreamClosed(listener: string): void {
    this.#downstreamActive.add(this.#listenerTable.row(listener), -1)
  }

  downstreamRefused(listener: string, reason: string): void {
    const detail = reason.indexOf(': ')
    const kind = detail === -1 ? reason : reason.slice(0, detail)
    this.#refused.add(this.#refusedTable.row(listener, kind), 1)
  }

  upstreamOpened(cluster: string): void {
    const row = this.#clusterTable.row(cluster)
    this.#upstreamConnections.add(row, 1)
    this.#upstreamActive.add(row, 1)
  }

  upstreamClosed(cluster: string): void {
    this.#upstreamActive.add(this.#clusterTable.row(cluster), -1)
  }

  upstreamConnectFailed(cluster: string): void {
    this.#upstreamConnectFailures.add(this.#clusterTable.row(cluster), 1)
  }

  upstreamOverflow(cluster: string, limit: string): void {
    this.#overflows.add(this.#overflowTable.row(cluster, limit), 1)
  }

  concurrencyLimited(cluster: string, limit: number): void {
    this.#concurrencyLimit.set(this.#clusterTable.row(cluster), limit)
  }

  mirrored(cluster: string, mirror: string, { result, primary, mirror: copy }: ComparedAnswers): void {
    this.#mirrored.add(this.#mirrorTable.row(cluster, mirror, result, codeOf(primary), codeOf(copy)), 1)
    if (primary === undefined || copy === undefined) return
    this.#mirrorDuration.observe(this.#mirrorTimeTable.row(cluster, mirror, 'primary'), primary.tookMs / 1000)
    this.#mirrorDuration.observe(this.#mirrorTimeTable.row(cluster, mirror, 'mirror'), copy.tookMs / 1000)
  }

  endpointEjected(cluster: string, reason: string, ejected: number): void {
    this.#outlierEjections.add(this.#ejectionTable.row(cluster, reason), 1)
    this.#outlierEjected.set(this.#clusterTable.row(cluster), ejected)
  }

  endpointAdmitted(cluster: string, ejected: number): void {
    this.#outlierEjected.set(this.#clusterTable.row(cluster), ejected)
  }

  healthChecked(cluster: string, failed: boolean, unhealthy: number): void {
    this.#healthChecks.add(this.#healthTable.row(cluster, failed ? 'bad' : 'good'), 1)
    this.#unhealthy.set(this.#clusterTable.row(cluster), unhealthy)
  }

  tcpOpened(listener: string, cluster: string): void {
    this.#tcpOpened.add(this.#tcpTable.row(listener, cluster), 1)
  }

  tcpClosed(listener: string, cluster: string): void {
    this.#tcpClosed.add(this.#tcpTable.row(listener, cluster), 1)
  }

  tcpFailed(listener: string, cluster: string): void {
    this.#tcpFailed.add(this.#tcpTable.row(listener, cluster === '' ? unknownLabel : cluster), 1)
  }

  tcpBytes(listener: string, cluster: string, sentBytes: number, receivedBytes: number): void {
    const row = this.#tcpTable.row(listener, cluster)
    this.#tcpSentBytes.add(row, sentBytes)
    this.#tcpReceivedBytes.add(row, receivedBytes)
  }

  rateLimitCounter(limit: string): RateLimitCounter {
    const row = (verdict: string): number => this.#rateLimitTable.row(limit, verdict)
    const allowed = row('allowed')
    return (verdict) => this.#rateLimit.add(verdict === 'allowed' ? allowed : row(verdict), 1)
  }

  spansCounted(result: BatchResult, spans: number): void {
    this.#spans.add(this.#spanTable.row(result), spans)
  }

  accessLogCounted(output: 'stdout' | 'file' | 'collector', result: AccessLogResult, lines: number): void {
    this.#accessLog.add(this.#accessLogTable.row(output, result), lines)
  }

  pointsCounted(result: PushResult, points: number): void {
    this.#points.add(this.#pointTable.row(result), points)
  }

  filterMeter(filter: string): FilterMeter {
    return this.#filters.of(filter)
  }

  configApplied(revision: string): void {
    this.#configApplied.add(this.#configTable.row(), 1)
    this.#infoTable.clear()
    this.#info.set(this.#infoTable.row(revision), 1)
  }

  configRejected(): void {
    this.#configRejected.add(this.#configTable.row(), 1)
  }

  bodiesTapped(): void {
    this.#bodiesTapped.add(this.#configTable.row(), 1)
  }

  reported(result: 'sent' | 'skipped'): void {
    this.#reports.add(this.#reportTable.row(result), 1)
  }

  recordsCounted(result: 'sent' | 'dropped', records: number): void {
    this.#records.add(this.#recordTable.row(result), records)
  }

  /** `notAfterMs` in milliseconds since the Unix epoch. */
  certificateRenewed(spiffeId: string, notAfterMs: number): void {
    this.#certificateTable.clear()
    this.#certificateExpiry.set(this.#certificateTable.row(spiffeId), notAfterMs / 1000)
  }

  /** Most requests are like the one before. */
  #requestRow(exchange: Exchange): number {
    const previous = this.#previous
    if (
      previous === undefined ||
      exchange.route !== previous.route ||
      exchange.status !== previous.status ||
      exchange.destinationWorkload !== previous.destinationWorkload ||
      exchange.sourcePrincipal !== previous.sourcePrincipal ||
      exchange.destinationPrincipal !== previous.destinationPrincipal ||
      exchange.request.method !== previous.request.method ||
      exchange.grpcStatus !== previous.grpcStatus ||
      exchange.destinationService !== previous.destinationService ||
      exchange.reporter !== previous.reporter ||
      exchange.protocol !== previous.protocol ||
      exchange.flags.length + previous.flags.length > 0
    ) {
      this.#row = this.#lookUpRow(exchange)
    }
    this.#previous = exchange
    return this.#row
  }

  #lookUpRow(exchange: Exchange): number {
    const own = this.#identity
    const inbound = exchange.reporter === 'destination'
    const { method } = exchange.request
    return this.#requestTable.row(
      exchange.reporter,
      inbound ? unknownLabel : own.workload,
      inbound ? (exchange.sourcePrincipal ?? unknownLabel) : own.spiffeId,
      inbound ? own.workload : (exchange.destinationWorkload ?? unknownLabel),
      inbound ? own.spiffeId : (exchange.destinationPrincipal ?? unknownLabel),
      exchange.destinationService ?? unknownLabel,
      exchange.route?.name ?? unknownLabel,
      exchange.protocol,
      namedMethods.has(method) ? method : otherMethodLabel,
      String(exchange.status),
      exchange.grpcStatus === undefined ? '' : String(exchange.grpcStatus),
      exchange.flags.length === 0 ? noFlagsLabel : exchange.flags.join(','),
    )
  }

  #countVerdict(verdict: AuthorizationRecord): void {
    if (verdict !== this.#verdict) {
      const { shadow } = verdict
      this.#verdict = verdict
      this.#verdictRows = [
        this.#verdictRow(verdict, 'enforced'),
        ...(shadow === undefined ? [] : [this.#verdictRow(shadow, 'dry_run')]),
        ...verdict.audited.map((policy) => this.#verdictRow({ allowed: verdict.allowed, policy }, 'audit')),
      ]
    }
    for (const row of this.#verdictRows) this.#authorization.add(row, 1)
  }

  #verdictRow({ allowed, policy }: Pick<AuthorizationRecord, 'allowed' | 'policy'>, mode: string): number {
    return this.#authorizationTable.row(allowed ? 'allowed' : 'refused', mode, policy ?? noFlagsLabel)
  }

  #countEgress(reason: string, service: string | undefined): void {
    this.#egressRefused.add(this.#egressTable.row(this.#identity.workload, service ?? unknownLabel, reason), 1)
  }

  #countRetries(exchange: Exchange): void {
    const cluster = exchange.cluster ?? unknownLabel
    for (const { retriedBecause } of exchange.attempts) {
      if (retriedBecause !== undefined) this.#retries.add(this.#retryTable.row(cluster, retriedBecause), 1)
    }
  }
}

/** gRPC statuses are below 100. */
function codeOf(answer: ObservedAnswer | undefined): string {
  return answer === undefined ? noFlagsLabel : String(answer.grpcStatus ?? answer.status)
}

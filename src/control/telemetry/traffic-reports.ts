// Where what a proxy has counted becomes traffic of an edge: whose request it was, and which reports speak of the same one.
import { proxyMetrics, unknownLabel } from '../../contracts/telemetry/metrics.ts'
import type { NodeKind } from '../../contracts/xds/names.ts'
import type { ObservedTraffic, TrafficSeries } from './observed-traffic.ts'
import type { Labels, ReportSink } from './reported-totals.ts'
import type { Reporter } from './reporting-proxy.ts'

export interface TrafficReportsOptions {
  readonly traffic: ObservedTraffic
  /** Whether a proxy with this SPIFFE ID reports what it sends: what it sends is then not counted a second time where it arrives. */
  readonly reports: (spiffeId: string) => boolean
}

export function trafficReports({ traffic, reports }: TrafficReportsOptions, reporter: Reporter): ReportSink {
  return {
    observed(name, labels, counts) {
      if (name !== proxyMetrics.requestDuration.name) return
      const series = requestSeries(labels, reporter)
      if (series.reporter !== 'destination' || !reports(series.sourcePrincipal)) traffic.observed(series, counts)
    },
    counted(name, labels, by) {
      const failed = name === proxyMetrics.tcpFailed.name
      if (!failed && name !== proxyMetrics.tcpOpened.name) return
      const series = connectionSeries(labels, reporter, failed)
      if (series !== undefined) traffic.counted(series, by)
    },
    measured() {
      // says nothing of traffic
    },
  }
}

/** What a proxy says of itself is known: it is not taken from its labels. */
function requestSeries(labels: Labels, { kind, name, spiffeId }: Reporter): TrafficSeries {
  const inbound = labels['reporter'] === 'destination'
  const principal = known(labels[inbound ? 'source_principal' : 'destination_principal'])
  const grpcStatus = labels['grpc_status'] ?? ''
  return {
    reporter: inbound ? 'destination' : sending(kind),
    source: inbound ? '' : name,
    sourcePrincipal: inbound ? principal : spiffeId,
    service: known(labels['destination_service']),
    workload: inbound ? name : known(labels['destination_workload']),
    route: known(labels['route']),
    protocol: grpcStatus === '' ? 'http' : 'grpc',
    mtls: principal !== '',
    code: labels['code'] ?? '',
    grpcStatus,
  }
}

/** Counted where they leave: undefined for those that arrive, whose cluster is the application itself. */
function connectionSeries(
  { cluster = '' }: Labels,
  { kind, name, spiffeId }: Reporter,
  failed: boolean,
): TrafficSeries | undefined {
  const colon = cluster.lastIndexOf(':')
  if (colon < 0) return undefined
  return {
    reporter: sending(kind),
    source: name,
    sourcePrincipal: spiffeId,
    service: cluster.slice(0, colon),
    workload: '',
    route: '',
    protocol: 'tcp',
    mtls: false,
    code: failed ? 'failed' : 'opened',
    grpcStatus: '',
  }
}

function sending(kind: NodeKind): 'source' | 'gateway' {
  return kind === 'gateway' ? 'gateway' : 'source'
}

function known(label: string | undefined): string {
  return label === undefined || label === unknownLabel ? '' : label
}

// Who calls whom: the callers' request counters between two scrapes → rate, success and latency of each edge. Pure.
import { grpcFaults } from '../../contracts/telemetry/grpc-faults.ts'
import { proxyMetrics } from '../../contracts/telemetry/metrics.ts'
import { bucketQuantile } from '../../core/metrics/bucket-quantile.ts'
import type { Sample } from './prometheus-text.ts'

/** Totals since the proxies started, by edge. */
export type EdgeTotals = ReadonlyMap<string, EdgeTotal>

interface EdgeTotal extends EdgeName {
  requests: number
  failures: number
  /** Cumulative, by upper bound in seconds. */
  readonly buckets: Map<number, number>
}

export interface EdgeName {
  /** "namespace/name" of the caller; a gateway's own name for what comes from outside. */
  readonly source: string
  /** "reviews.default.svc.cluster.local". */
  readonly service: string
  /** "namespace/name" of the workload that answered. */
  readonly workload: string
}

export interface Edge extends EdgeName {
  /** Since the proxies started. */
  readonly requests: number
  readonly requestsPerSecond: number
  /** 0 to 1: answers below 500 and calls that did not fail by the server, of all; undefined when there was no request. */
  readonly success: number | undefined
  /** Milliseconds; undefined when there was no request. */
  readonly p50Ms: number | undefined
  readonly p99Ms: number | undefined
}

/** Counts each request once: where it left its caller or entered by a gateway. */
export function sumEdges(samples: Iterable<Sample>): EdgeTotals {
  const edges = new Map<string, EdgeTotal>()
  for (const { name, labels, value } of samples) {
    if (labels['reporter'] !== 'source' && labels['reporter'] !== 'gateway') continue
    if (name === proxyMetrics.requests.name) {
      const total = edgeTotal(edges, labels)
      total.requests += value
      const code = Number(labels['code'])
      if (code === 0 || code >= 500 || grpcFaults.has(Number(labels['grpc_status'] ?? ''))) total.failures += value
    } else if (name === `${proxyMetrics.requestDuration.name}_bucket`) {
      const { buckets } = edgeTotal(edges, labels)
      const bound = labels['le'] === '+Inf' ? Infinity : Number(labels['le'])
      buckets.set(bound, (buckets.get(bound) ?? 0) + value)
    }
  }
  return edges
}

function edgeTotal(edges: Map<string, EdgeTotal>, labels: Readonly<Record<string, string>>): EdgeTotal {
  const source = labels['source_workload'] ?? ''
  const service = labels['destination_service'] ?? ''
  const workload = labels['destination_workload'] ?? ''
  const key = `${source}\n${service}\n${workload}`
  let total = edges.get(key)
  if (total === undefined) {
    total = { source, service, workload, requests: 0, failures: 0, buckets: new Map() }
    edges.set(key, total)
  }
  return total
}

/** Of the time between; of edges that were counted anew since (their proxy restarted), from their start. Sorted by name. */
export function compareEdges(before: EdgeTotals, after: EdgeTotals, elapsedMs: number): Edge[] {
  const edges = [...after].map(([key, now]): Edge => {
    const earlier = before.get(key)
    const then = earlier !== undefined && earlier.requests <= now.requests ? earlier : undefined
    const requests = now.requests - (then?.requests ?? 0)
    const failures = now.failures - (then?.failures ?? 0)
    const buckets = [...now.buckets]
      .map(([bound, count]) => [bound, count - (then?.buckets.get(bound) ?? 0)] as const)
      .toSorted(([a], [b]) => a - b)
    return {
      source: now.source,
      service: now.service,
      workload: now.workload,
      requests: now.requests,
      requestsPerSecond: elapsedMs > 0 ? (requests * 1000) / elapsedMs : 0,
      success: requests > 0 ? (requests - failures) / requests : undefined,
      p50Ms: quantileMs(buckets, 0.5),
      p99Ms: quantileMs(buckets, 0.99),
    }
  })
  return edges.toSorted(
    (a, b) => compare(a.source, b.source) || compare(a.service, b.service) || compare(a.workload, b.workload),
  )
}

/** Of bounds in seconds. */
function quantileMs(buckets: readonly (readonly [number, number])[], quantile: number): number | undefined {
  const seconds = bucketQuantile(buckets, quantile)
  return seconds === undefined ? undefined : seconds * 1000
}

function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

// Which callers pass over endpoints of a service right now, by outlier detection and by health checks, as their proxies report.
import { proxyMetrics } from '../../contracts/telemetry/metrics.ts'
import type { ReportSink } from './reported-totals.ts'
import type { Reporter } from './reporting-proxy.ts'

export interface PassedOver {
  /** "namespace/name" of the workload or gateway that calls. */
  readonly by: string
  /** Endpoints; of several processes of a proxy, as the worst off says. */
  readonly ejected: number
  readonly unhealthy: number
}

interface Process {
  readonly by: string
  /** By cluster, "reviews.default.svc.cluster.local:80". */
  readonly ejected: Map<string, number>
  readonly unhealthy: Map<string, number>
}

/** Of one process. */
const mostClusters = 5_000

export class PassedOverEndpoints {
  readonly #processes = new Set<Process>()

  /** Of all ports of a host. */
  of(host: string): PassedOver[] {
    const found = new Map<string, PassedOver>()
    for (const { by, ejected, unhealthy } of this.#processes) {
      const before = found.get(by)
      const now = {
        by,
        ejected: Math.max(before?.ejected ?? 0, ofHost(ejected, host)),
        unhealthy: Math.max(before?.unhealthy ?? 0, ofHost(unhealthy, host)),
      }
      if (now.ejected + now.unhealthy > 0) found.set(by, now)
    }
    return [...found.values()].toSorted((a, b) => (a.by < b.by ? -1 : 1))
  }

  sink({ name }: Reporter): ReportSink {
    const own: Process = { by: name, ejected: new Map(), unhealthy: new Map() }
    return {
      observed() {
        // says nothing of endpoints
      },
      counted() {
        // says nothing of endpoints
      },
      measured: (metric, { cluster = '' }, value) => {
        const counts = metric === proxyMetrics.outlierEjected.name ? own.ejected : own.unhealthy
        if (counts === own.unhealthy && metric !== proxyMetrics.unhealthy.name) return
        if (value > 0 && counts.size < mostClusters) counts.set(cluster, value)
        else counts.delete(cluster)
        if (own.ejected.size + own.unhealthy.size > 0) this.#processes.add(own)
        else this.#processes.delete(own)
      },
      left: () => {
        own.ejected.clear()
        own.unhealthy.clear()
        this.#processes.delete(own)
      },
    }
  }
}

function ofHost(counts: ReadonlyMap<string, number>, host: string): number {
  let sum = 0
  for (const [cluster, count] of counts) if (cluster.startsWith(`${host}:`)) sum += count
  return sum
}

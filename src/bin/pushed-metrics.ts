// Pushes what the control plane counts to the collector that proxies push to. Part of its composition root.
import type { MeshSnapshot } from '../control/snapshot/mesh-snapshot.ts'
import type { ControlPlaneMetrics, ControlPlaneState } from '../control/telemetry/control-plane-metrics.ts'
import { type CollectorAddress, sendOtlp } from '../control/telemetry/send-otlp.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/logger.ts'
import { randomToken } from '../core/random.ts'
import type { Watchable } from '../core/watchable.ts'
import { encodeMetricsExport, metricsSignal } from '../policies/metrics-export/export-metrics.xds.ts'
import { ownMetrics } from '../policies/metrics-export/exported-metrics.runtime.ts'
import { MetricsPush } from '../policies/metrics-export/metrics-push.runtime.ts'

export interface PushedMetricsDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: ControlPlaneMetrics
  readonly state: () => ControlPlaneState
  readonly snapshot: Watchable<MeshSnapshot>
}

/** Until the returned function is called, which pushes a last time. */
export function pushMetrics({ clock, logger, metrics, state, snapshot }: PushedMetricsDeps): () => Promise<void> {
  const startMs = clock.nowMs()
  const resource = { 'service.name': 'heddle-control-plane', 'service.instance.id': randomToken(9) }
  const push = new MetricsPush({
    clock,
    logger,
    metrics: () => ownMetrics(metrics.update(state()), clock),
    counted: (result, points) => metrics.pointsCounted(result, points),
    send({ collector }, points) {
      const address = collectorAddress(snapshot.value, collector.cluster)
      if (address === undefined) throw new Error(`${collector.cluster} has no address`)
      const message = encodeMetricsExport(resource, points, { startMs, nowMs: clock.nowMs() })
      return sendOtlp(clock, address, metricsSignal, collector, message)
    },
  })
  const follow = (): void => {
    const spec = snapshot.value.settings.metricsExport
    const collector = spec?.collector
    const address = collector && collectorAddress(snapshot.value, collector.cluster)
    push.follow(spec && address && { ...spec, collector })
  }
  follow()
  const unsubscribe = snapshot.subscribe(follow)
  return () => {
    unsubscribe()
    return push.stop()
  }
}

/** Undefined: it is a workload of the mesh or behind TLS. The control plane is no member of its own mesh, and dials neither. */
function collectorAddress({ services }: MeshSnapshot, cluster: string): CollectorAddress | undefined {
  const colon = cluster.lastIndexOf(':')
  const port = services.get(cluster.slice(0, colon))?.ports.find((one) => String(one.port) === cluster.slice(colon + 1))
  if (port === undefined || port.originateTls !== undefined || port.peerSpiffeIds !== undefined) return undefined
  return port.endpoints.find((endpoint) => endpoint.kind === 'address')
}

// Pushes what one proxy has counted to a collector of OpenTelemetry, under the names that its configuration asks for.
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logger.ts'
import type { MetricRegistry } from '../../core/metrics/metric-registry.ts'
import { encodeMetricsExport } from '../../policies/metrics-export/export-metrics.xds.ts'
import type { MetricsExportSpec } from '../../policies/metrics-export/metrics-export.spec.ts'
import { MetricsPush, type PushResult } from '../../policies/metrics-export/metrics-push.runtime.ts'
import type { OtlpAttributes } from '../../policies/otlp.xds.ts'
import type { TraceCollectorSpec } from '../../policies/tracing/tracing.spec.ts'
import type { ListenerConfig } from '../runtime/runtime-config.ts'
import { conventionMetrics } from './convention-metrics.ts'
import { exportedIstioMetrics } from './istio-metrics.ts'

export interface MetricsExportDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly registry: MetricRegistry
  /** When the registry began to count, milliseconds since the Unix epoch. */
  readonly startedAtMs: number
  /** Who has counted. */
  readonly resource: OtlpAttributes
  readonly counted: (result: PushResult, points: number) => void
}

/** One message of metrics. Rejects when the collector has not taken it; resolves with how many points it has refused. */
export type SendMetrics = (collector: TraceCollectorSpec, message: Uint8Array) => Promise<number>

export class MetricsExport {
  readonly #deps: MetricsExportDeps
  readonly #push: MetricsPush

  constructor(deps: MetricsExportDeps, send: SendMetrics) {
    const { clock, logger, registry, startedAtMs, resource, counted } = deps
    this.#deps = deps
    this.#push = new MetricsPush({
      clock,
      logger,
      metrics: ({ names }) =>
        names === 'istio' ? exportedIstioMetrics(registry, clock) : conventionMetrics(registry, clock),
      counted,
      send: ({ collector }, metrics) =>
        send(collector, encodeMetricsExport(resource, metrics, { startMs: startedAtMs, nowMs: clock.nowMs() })),
    })
  }

  follow(listeners: Iterable<ListenerConfig>): void {
    let spec: MetricsExportSpec | undefined
    for (const { metricsExport } of listeners) spec ??= metricsExport
    const { registry, clock } = this.#deps
    registry.recordExponential(spec?.histograms === 'exponential' ? clock.nowMs() : undefined)
    this.#push.follow(spec?.collector && { ...spec, collector: spec.collector })
  }

  /** Pushes a last time. */
  stop(): Promise<void> {
    return this.#push.stop()
  }
}

// Where the metrics of a sidecar are read, and under whose names.
import type { MetricRegistry } from '../../core/metrics/metric-registry.ts'
import { type MetricsFormat, renderPrometheus } from '../../core/metrics/prometheus.ts'
import { renderIstioMetrics } from './istio-metrics.ts'

export type MetricsPages = Readonly<Record<string, (format: MetricsFormat) => string>>

/** The second is where Istio's sidecars are scraped. */
export const metricsPaths = { own: '/metrics', istio: '/stats/prometheus' } as const

export function metricsPages(registry: MetricRegistry): MetricsPages {
  return {
    [metricsPaths.own]: (format) => renderPrometheus(registry, format),
    [metricsPaths.istio]: (format) => renderIstioMetrics(registry, format),
  }
}

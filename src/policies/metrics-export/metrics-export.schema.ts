// `metrics` of the MeshConfig: which of the collectors that its extensionProviders name is told what has been counted.
import { z } from 'zod'

import { durationMs, durationSchema } from '../scalars.schema.ts'
import type { TraceCollectorSpec } from '../tracing/tracing.spec.ts'
import type { HistogramForm, MetricNames, MetricsExportSpec } from './metrics-export.spec.ts'

export interface MetricsExportSettings {
  /** Absent: metrics are told to whoever asks alone. */
  readonly provider?: { readonly name: string }
  readonly interval: string
  readonly names: MetricNames
  readonly histograms: HistogramForm
}

/** A minute is OpenTelemetry's own interval, and too long to see what has just been changed. */
export const metricsExportSchema: z.ZodType<MetricsExportSettings> = z.strictObject({
  provider: z.strictObject({ name: z.string().min(1).max(253) }).exactOptional(),
  interval: durationSchema
    .refine((interval) => durationMs(interval) >= 1_000, '"interval" must be one second or more')
    .default('15s'),
  names: z.enum(['openTelemetry', 'istio']).default('openTelemetry'),
  histograms: z.enum(['explicit', 'exponential']).default('explicit'),
})

export function toMetricsExportSpec(
  { interval, names, histograms }: MetricsExportSettings,
  collector: TraceCollectorSpec | undefined,
): MetricsExportSpec {
  return { ...(collector && { collector }), intervalMs: durationMs(interval), names, histograms }
}

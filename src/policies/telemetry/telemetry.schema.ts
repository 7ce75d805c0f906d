// `spec` of a Telemetry document, and what several say together: of each field what the narrowest scope says. Shaped after GEP-4768.
import { z } from 'zod'

import { toAccessLogSpec } from '../access-log/access-log.schema.ts'
import type { AccessLogSettings } from '../access-log/access-log.schema.ts'
import { ruleIssue } from '../scalars.schema.ts'
import { toTracingSpec } from '../tracing/tracing.schema.ts'
import type { TracingSettings } from '../tracing/tracing.schema.ts'
import type { TraceCollectorSpec } from '../tracing/tracing.spec.ts'
import type { TelemetrySpec } from './telemetry.spec.ts'

type Mode = 'Enabled' | 'Disabled'

/** Absent fields are left to the wider scope. */
export interface TelemetryFields {
  readonly tracing?: TracingFields
  readonly metrics?: { readonly mode?: Mode }
  readonly accessLogs?: AccessLogFields
  readonly decisionRecords?: { readonly mode?: Mode }
}

export interface TracingFields {
  readonly mode?: Mode
  readonly provider?: TracingSettings['provider']
  readonly samplingRate?: { readonly numerator: number; readonly denominator: number }
}

export interface AccessLogFields extends Partial<Omit<AccessLogSettings, 'enabled'>> {
  readonly mode?: Mode
}

const modeSchema = z.enum(['Enabled', 'Disabled'])

const samplingRateSchema = z
  .strictObject({ numerator: z.int().min(0), denominator: z.int().min(1).default(100) })
  .check((ctx) => {
    const { numerator, denominator } = ctx.value
    if (numerator > denominator)
      ctx.issues.push(ruleIssue(ctx.value, ['numerator'], `${numerator} is more than the denominator ${denominator}`))
  })

export const telemetrySpecShape: z.ZodRawShape = {
  tracing: z
    .strictObject({
      mode: modeSchema.exactOptional(),
      provider: z.strictObject({ name: z.string().min(1).max(253) }).exactOptional(),
      samplingRate: samplingRateSchema.exactOptional(),
    })
    .exactOptional(),
  metrics: z.strictObject({ mode: modeSchema.exactOptional() }).exactOptional(),
  accessLogs: z
    .strictObject({
      mode: modeSchema.exactOptional(),
      samplePercent: z.number().min(0).max(100).exactOptional(),
      encoding: z.enum(['JSON', 'TEXT']).exactOptional(),
      format: z.string().min(1).max(4096).exactOptional(),
    })
    .exactOptional(),
  decisionRecords: z.strictObject({ mode: modeSchema.exactOptional() }).exactOptional(),
}

/** What the MeshConfig says, for all that no document says otherwise. */
export function meshTelemetry(accessLog: AccessLogSettings, tracing: TracingSettings | undefined): TelemetryFields {
  const { enabled, ...accessLogs } = accessLog
  return {
    accessLogs: { mode: enabled ? 'Enabled' : 'Disabled', ...accessLogs },
    ...(tracing !== undefined && {
      tracing: {
        provider: tracing.provider,
        samplingRate: { numerator: tracing.randomSamplingPercentage, denominator: 100 },
      },
    }),
  }
}

/** Field by field. */
export function narrowedTelemetry(wider: TelemetryFields, narrower: TelemetryFields): TelemetryFields {
  return {
    tracing: { ...wider.tracing, ...narrower.tracing },
    metrics: { ...wider.metrics, ...narrower.metrics },
    accessLogs: { ...wider.accessLogs, ...narrower.accessLogs },
    decisionRecords: { ...wider.decisionRecords, ...narrower.decisionRecords },
  }
}

/** One trace in a hundred, as the MeshConfig has it. */
const defaultSamplingRate = { numerator: 1, denominator: 100 }

/** `collectors`: by name. A provider that is none of them is as if there were none. */
export function toTelemetrySpec(
  { tracing, metrics, accessLogs, decisionRecords }: TelemetryFields,
  collectors: ReadonlyMap<string, TraceCollectorSpec>,
): TelemetrySpec {
  const { mode: logged, ...accessLog } = accessLogs ?? {}
  const { numerator, denominator } = tracing?.samplingRate ?? defaultSamplingRate
  const collector = tracing?.mode === 'Disabled' ? undefined : collectors.get(tracing?.provider?.name ?? '')
  const muted = { metrics: metrics?.mode === 'Disabled', decisionRecords: decisionRecords?.mode === 'Disabled' }
  return {
    accessLog: toAccessLogSpec({ enabled: logged !== 'Disabled', samplePercent: 1, encoding: 'JSON', ...accessLog }),
    ...(collector !== undefined && { tracing: toTracingSpec((numerator * 100) / denominator, collector) }),
    ...((muted.metrics || muted.decisionRecords) && { muted }),
  }
}

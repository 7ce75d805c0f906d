// `spec` of a Telemetry document, and what several say together: of each field what the narrowest scope says. Shaped after GEP-4768.
import { z } from 'zod'

import { accessLogFields, checkAccessLog, toAccessLogSpec } from '../access-log/access-log.schema.ts'
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
    .strictObject({ mode: modeSchema.exactOptional(), ...accessLogFields })
    .check(checkAccessLog as (ctx: z.core.ParsePayload) => void)
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

/** What is in a line is said together, and where it goes. */
const together: readonly (readonly (keyof AccessLogFields)[])[] = [
  ['encoding', 'format', 'json'],
  ['file', 'provider'],
]

function narrowedAccessLog(wider: AccessLogFields = {}, narrower: AccessLogFields = {}): AccessLogFields {
  const replaced = together.filter((fields) => fields.some((field) => narrower[field] !== undefined)).flat()
  const kept = Object.fromEntries(
    Object.entries(wider).filter(([field]) => !replaced.includes(field as keyof AccessLogFields)),
  )
  return { ...kept, ...narrower }
}

/** Field by field. */
export function narrowedTelemetry(wider: TelemetryFields, narrower: TelemetryFields): TelemetryFields {
  return {
    tracing: { ...wider.tracing, ...narrower.tracing },
    metrics: { ...wider.metrics, ...narrower.metrics },
    accessLogs: narrowedAccessLog(wider.accessLogs, narrower.accessLogs),
    decisionRecords: { ...wider.decisionRecords, ...narrower.decisionRecords },
  }
}

/** One trace in a hundred, as the MeshConfig has it. */
const defaultSamplingRate = { numerator: 1, denominator: 100 }

/** Undefined: none is named, or none is called so. */
export type CollectorOf = (
  provider: { readonly name: string } | undefined,
  signal: 'traces' | 'logs',
) => TraceCollectorSpec | undefined

/** A provider that is none is as if none were named. */
export function toTelemetrySpec(
  { tracing, metrics, accessLogs, decisionRecords }: TelemetryFields,
  collectorOf: CollectorOf,
): TelemetrySpec {
  const { mode: logged, ...said } = accessLogs ?? {}
  const accessLog = { enabled: logged !== 'Disabled', samplePercent: 1, encoding: 'JSON' as const, ...said }
  const { numerator, denominator } = tracing?.samplingRate ?? defaultSamplingRate
  const collector = tracing?.mode === 'Disabled' ? undefined : collectorOf(tracing?.provider, 'traces')
  const muted = { metrics: metrics?.mode === 'Disabled', decisionRecords: decisionRecords?.mode === 'Disabled' }
  return {
    accessLog: toAccessLogSpec(accessLog, collectorOf(accessLog.provider, 'logs')),
    ...(collector !== undefined && { tracing: toTracingSpec((numerator * 100) / denominator, collector) }),
    ...((muted.metrics || muted.decisionRecords) && { muted }),
  }
}

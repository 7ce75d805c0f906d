// `spec` of a Telemetry document, and what several say together: of each field what the narrowest scope says. Shaped after GEP-4768.
import { z } from 'zod'

import { accessLogFields, checkAccessLog, toAccessLogSpec } from '../access-log/access-log.schema.ts'
import type { AccessLogSettings } from '../access-log/access-log.schema.ts'
import { toTracingSpec, tracingFieldsSchema } from '../tracing/tracing-fields.schema.ts'
import type { TracingFields } from '../tracing/tracing-fields.schema.ts'
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

export interface AccessLogFields extends Partial<Omit<AccessLogSettings, 'enabled'>> {
  readonly mode?: Mode
}

const modeSchema = z.enum(['Enabled', 'Disabled'])

export const telemetrySpecShape: z.ZodRawShape = {
  tracing: tracingFieldsSchema.exactOptional(),
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
  const collector = tracing?.mode === 'Disabled' ? undefined : collectorOf(tracing?.provider, 'traces')
  const muted = { metrics: metrics?.mode === 'Disabled', decisionRecords: decisionRecords?.mode === 'Disabled' }
  return {
    accessLog: toAccessLogSpec(accessLog, collectorOf(accessLog.provider, 'logs')),
    ...(collector !== undefined && { tracing: toTracingSpec(tracing ?? {}, collector) }),
    ...((muted.metrics || muted.decisionRecords) && { muted }),
  }
}

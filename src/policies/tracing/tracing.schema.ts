// `tracing` of the MeshConfig, and the collectors that its extensionProviders name, with the fields that Istio's users know.
import { z } from 'zod'

import { extensionServiceFields } from '../extension-service.schema.ts'
import type { ExtensionService } from '../extension-service.schema.ts'
import { durationMs } from '../scalars.schema.ts'
import type { TraceCollectorSpec } from './tracing.spec.ts'

export interface TraceCollector extends ExtensionService {
  /** OTLP/HTTP; absent: OTLP/gRPC. */
  readonly http?: { readonly path: string }
}

export interface TracingSettings {
  readonly provider: { readonly name: string }
  readonly randomSamplingPercentage: number
  /** Node applications that the mesh starts carry traces on from what they are asked to what they ask. */
  readonly preloadPropagation: boolean
}

export const traceCollectorSchema: z.ZodType<TraceCollector> = z.strictObject({
  ...extensionServiceFields('5s'),
  http: z
    .strictObject({
      path: z
        .string()
        .max(1024)
        .regex(/^\/[!-~]*$/, 'a path such as "/v1/traces"')
        .default('/v1/traces'),
    })
    .exactOptional(),
})

/** One trace in a hundred by default, as Istio. */
export const tracingSchema: z.ZodType<TracingSettings> = z.strictObject({
  provider: z.strictObject({ name: z.string().min(1).max(253) }),
  randomSamplingPercentage: z.number().min(0).max(100).default(1),
  preloadPropagation: z.boolean().default(false),
})

export type OtlpSignalName = 'traces' | 'metrics' | 'logs'

/** `cluster`: the one that leads to the collector. A path that is that of another signal becomes that of `signal`. */
export function toTraceCollectorSpec(
  { http, timeout }: TraceCollector,
  cluster: string,
  signal: OtlpSignalName,
): TraceCollectorSpec {
  const path = http?.path.replace(/\/v1\/(?:traces|metrics|logs)$/, `/v1/${signal}`)
  return { cluster, ...(path === undefined ? {} : { path }), timeoutMs: durationMs(timeout) }
}

// Policies that attach to Services and ExternalServices by targetRefs (GEP-713): BackendTLSPolicy, TrafficPolicy, XBackendTrafficPolicy.
import { z } from 'zod'

import { adaptiveConcurrencySchema } from '../../policies/adaptive-concurrency/adaptive-concurrency.schema.ts'
import type { AdaptiveConcurrencySettings } from '../../policies/adaptive-concurrency/adaptive-concurrency.schema.ts'
import { circuitBreakerSchema } from '../../policies/circuit-breaker/circuit-breaker.schema.ts'
import type { CircuitBreakerSettings } from '../../policies/circuit-breaker/circuit-breaker.schema.ts'
import { faultsSchema } from '../../policies/faults/faults.schema.ts'
import type { FaultsSettings } from '../../policies/faults/faults.schema.ts'
import { healthCheckSchema } from '../../policies/health-checks/health-checks.schema.ts'
import type { HealthCheckSettings } from '../../policies/health-checks/health-checks.schema.ts'
import { hedgingSchema } from '../../policies/hedging/hedging.schema.ts'
import type { HedgingSettings } from '../../policies/hedging/hedging.schema.ts'
import { loadBalancingSchema } from '../../policies/load-balancing/load-balancing.schema.ts'
import type { LoadBalancingSettings } from '../../policies/load-balancing/load-balancing.schema.ts'
import { outlierDetectionSchema } from '../../policies/outlier-detection/outlier-detection.schema.ts'
import type { OutlierDetectionSettings } from '../../policies/outlier-detection/outlier-detection.schema.ts'
import { rateLimitSchema } from '../../policies/rate-limit/rate-limit.schema.ts'
import type { RateLimitSettings } from '../../policies/rate-limit/rate-limit.schema.ts'
import { destinationRetriesSchema, retryConstraintSchema } from '../../policies/retries/retries.schema.ts'
import type { DestinationRetries, RetryConstraint } from '../../policies/retries/retries.schema.ts'
import {
  durationSchema,
  groupNameSchema,
  kindNameSchema,
  objectNameSchema,
  preciseHostnameSchema,
  ruleIssue,
} from '../../policies/scalars.schema.ts'
import { sessionPersistenceSchema } from '../../policies/session-persistence/session-persistence.schema.ts'
import type { SessionPersistence } from '../../policies/session-persistence/session-persistence.schema.ts'
import { destinationTimeoutsSchema } from '../../policies/timeouts/timeouts.schema.ts'
import type { DestinationTimeouts } from '../../policies/timeouts/timeouts.schema.ts'
import { trafficSplitSchema } from '../../policies/traffic-split/sticky-split.schema.ts'
import type { TrafficSplitSettings } from '../../policies/traffic-split/sticky-split.schema.ts'

export interface PolicyTargetReference {
  readonly group: string
  readonly kind: string
  readonly name: string
  /** Name of a port. */
  readonly sectionName?: string
}

/** How callers treat a destination. What is absent is as for a destination without a policy. */
export interface TrafficPolicySpec {
  readonly targetRefs: readonly PolicyTargetReference[]
  readonly connectTimeout?: string
  readonly loadBalancing?: LoadBalancingSettings
  readonly circuitBreaker?: CircuitBreakerSettings
  readonly outlierDetection?: OutlierDetectionSettings
  readonly healthCheck?: HealthCheckSettings
  readonly retryConstraint?: RetryConstraint
  readonly hedging?: HedgingSettings
  readonly faults?: FaultsSettings
  readonly rateLimit?: RateLimitSettings
  /** Of routes with several backends. */
  readonly trafficSplit?: TrafficSplitSettings
  /** Of the sidecars of its workloads. */
  readonly adaptiveConcurrency?: AdaptiveConcurrencySettings
  /** For routes that have none of their own, as `timeouts`. */
  readonly retries?: DestinationRetries
  readonly timeouts?: DestinationTimeouts
}

/** The Gateway API's (GEP-3388, GEP-1619). */
export interface BackendTrafficPolicySpec {
  readonly targetRefs: readonly PolicyTargetReference[]
  readonly retryConstraint?: RetryConstraint
  /** Of routes that have none of their own. */
  readonly sessionPersistence?: SessionPersistence
}

export interface BackendTlsPolicySpec {
  readonly targetRefs: readonly PolicyTargetReference[]
  readonly validation: {
    readonly caCertificateRefs: readonly { readonly group: string; readonly kind: string; readonly name: string }[]
    readonly wellKnownCACertificates?: 'System'
    readonly hostname: string
    readonly subjectAltNames: readonly {
      readonly type: 'Hostname' | 'URI'
      readonly hostname?: string
      readonly uri?: string
    }[]
  }
}

const targetFields = { group: groupNameSchema.default(''), kind: kindNameSchema, name: objectNameSchema }

export const targetRefsSchema: z.ZodType<readonly PolicyTargetReference[]> = z
  .array(z.strictObject({ ...targetFields, sectionName: objectNameSchema.exactOptional() }))
  .min(1)
  .max(16)

export const backendTrafficPolicyFields: z.ZodRawShape = {
  spec: z.strictObject({
    targetRefs: z.array(z.strictObject(targetFields)).min(1).max(16),
    retryConstraint: retryConstraintSchema.exactOptional(),
    sessionPersistence: sessionPersistenceSchema.exactOptional(),
  }),
}

export const trafficPolicyFields: z.ZodRawShape = {
  spec: z.strictObject({
    targetRefs: targetRefsSchema,
    connectTimeout: durationSchema.exactOptional(),
    loadBalancing: loadBalancingSchema.exactOptional(),
    circuitBreaker: circuitBreakerSchema.exactOptional(),
    outlierDetection: outlierDetectionSchema.exactOptional(),
    healthCheck: healthCheckSchema.exactOptional(),
    retryConstraint: retryConstraintSchema.exactOptional(),
    hedging: hedgingSchema.exactOptional(),
    faults: faultsSchema.exactOptional(),
    rateLimit: rateLimitSchema.exactOptional(),
    trafficSplit: trafficSplitSchema.exactOptional(),
    adaptiveConcurrency: adaptiveConcurrencySchema.exactOptional(),
    retries: destinationRetriesSchema.exactOptional(),
    timeouts: destinationTimeoutsSchema.exactOptional(),
  }),
}

const subjectAltNameSchema = z
  .strictObject({
    type: z.enum(['Hostname', 'URI']),
    hostname: z.string().min(1).max(253).exactOptional(),
    uri: z.string().min(1).max(253).exactOptional(),
  })
  .check((ctx) => {
    const { type, hostname, uri } = ctx.value
    const [wanted, other] = type === 'Hostname' ? ['hostname', 'uri'] : ['uri', 'hostname']
    if ((type === 'Hostname' ? hostname : uri) === undefined)
      ctx.issues.push(ruleIssue(ctx.value, [wanted], `"${wanted}" is missing: the type is ${type}`, 'HDL006'))
    if ((type === 'Hostname' ? uri : hostname) !== undefined)
      ctx.issues.push(ruleIssue(ctx.value, [other], `"${other}" does not go with type ${type}`))
  })

export const backendTlsPolicyFields: z.ZodRawShape = {
  spec: z.strictObject({
    targetRefs: targetRefsSchema,
    validation: z
      .strictObject({
        caCertificateRefs: z
          .array(z.strictObject({ group: groupNameSchema.default(''), kind: kindNameSchema, name: objectNameSchema }))
          .max(8)
          .default([]),
        wellKnownCACertificates: z.enum(['System']).exactOptional(),
        hostname: preciseHostnameSchema,
        subjectAltNames: z.array(subjectAltNameSchema).max(5).default([]),
      })
      .check((ctx) => {
        const { caCertificateRefs, wellKnownCACertificates } = ctx.value
        const both = caCertificateRefs.length > 0 && wellKnownCACertificates !== undefined
        if (both)
          ctx.issues.push(
            ruleIssue(
              ctx.value,
              ['wellKnownCACertificates'],
              'caCertificateRefs and wellKnownCACertificates exclude each other',
            ),
          )
        if (caCertificateRefs.length === 0 && wellKnownCACertificates === undefined)
          ctx.issues.push(
            ruleIssue(
              ctx.value,
              ['caCertificateRefs'],
              'one of "caCertificateRefs" and "wellKnownCACertificates" must be given',
              'HDL006',
            ),
          )
      }),
    options: z.record(z.string(), z.string()).optional(),
  }),
}

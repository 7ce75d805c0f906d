// HTTPRouteRetry (GEP-1731) as written in a route, and its translation to the spec; the constraint of a TrafficPolicy.
import { z } from 'zod'

import { grpcStatusOfCondition, statusesOfCondition } from '../../contracts/retry-conditions.ts'
import { durationMs, durationSchema, ruleIssue } from '../scalars.schema.ts'
import type { RetryConstraintSpec, RetrySpec } from './retries.spec.ts'

export interface RouteRetry {
  readonly codes: readonly number[]
  readonly attempts: number
  readonly backoff: string
}

/** Defaults as Envoy's: one retry, 25 ms of base back-off. */
export const retrySchema: z.ZodType<RouteRetry> = z.strictObject({
  codes: z.array(z.int().min(400).max(599)).default([]),
  attempts: z.int().min(1).default(1),
  backoff: durationSchema.default('25ms'),
})

export function toRetrySpec(retry: RouteRetry): RetrySpec {
  return { attempts: retry.attempts, statusCodes: retry.codes, backoffMs: durationMs(retry.backoff) }
}

/** `retries` of a TrafficPolicy: for routes to the destination that have no `retry`. */
export interface DestinationRetries extends RouteRetry {
  readonly conditions: readonly string[]
}

/** What is repeated in any case, when it is safe. */
const unconditional = ['connect-failure', 'refused-stream', 'reset-before-request'] as const
const conditions = [...Object.keys(statusesOfCondition), ...Object.keys(grpcStatusOfCondition), ...unconditional]

export const destinationRetriesSchema: z.ZodType<DestinationRetries> = z
  .strictObject({
    codes: z.array(z.int().min(400).max(599)).default([]),
    conditions: z.array(z.enum(conditions)).default([]),
    attempts: z.int().min(0).max(100).default(2),
    backoff: durationSchema.default('25ms'),
  })
  .check((ctx) => {
    const { attempts, codes, conditions: named } = ctx.value
    if (attempts === 0 && codes.length + named.length > 0)
      ctx.issues.push(ruleIssue(attempts, ['attempts'], 'with no attempts nothing that is listed is repeated'))
  })

export function toDestinationRetrySpec({ conditions: named, ...retry }: DestinationRetries): RetrySpec {
  const statusCodes = [...retry.codes, ...named.flatMap((name) => statusesOfCondition[name] ?? [])]
  const grpcStatuses = named.flatMap((name) => grpcStatusOfCondition[name] ?? [])
  return {
    ...toRetrySpec(retry),
    statusCodes: [...new Set(statusCodes)],
    ...(grpcStatuses.length === 0 ? {} : { grpcStatuses }),
  }
}

/** Of destinations without a policy (the defaults of GEP-3388). */
export const defaultRetryConstraint: RetryConstraintSpec = {
  percent: 20,
  intervalMs: 10_000,
  minRetries: 10,
  minIntervalMs: 1_000,
}

/** `retryConstraint`, in the form of the Gateway API's XBackendTrafficPolicy. */
export interface RetryConstraint {
  readonly budget: { readonly percent: number; readonly interval: string }
  readonly minRetryRate: { readonly count: number; readonly interval: string }
}

const intervalSchema = durationSchema.refine((text) => durationMs(text) > 0 && durationMs(text) <= 3_600_000, {
  error: 'an interval is more than nothing, and at most 1h',
})

export const retryConstraintSchema: z.ZodType<RetryConstraint> = z.strictObject({
  budget: z
    .strictObject({ percent: z.int().min(0).max(100).default(20), interval: intervalSchema.default('10s') })
    .default({ percent: 20, interval: '10s' }),
  minRetryRate: z
    .strictObject({ count: z.int().min(0).max(1_000_000).default(10), interval: intervalSchema.default('1s') })
    .default({ count: 10, interval: '1s' }),
})

export function toRetryConstraintSpec({ budget, minRetryRate }: RetryConstraint): RetryConstraintSpec {
  return {
    percent: budget.percent,
    intervalMs: durationMs(budget.interval),
    minRetries: minRetryRate.count,
    minIntervalMs: durationMs(minRetryRate.interval),
  }
}

// HTTPRouteRetry (GEP-1731) as written in a route, and its translation to the spec; the budget of a TrafficPolicy.
import { z } from 'zod'

import { durationMs, durationSchema } from '../scalars.schema.ts'
import type { RetryBudgetSpec, RetrySpec } from './retries.spec.ts'

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

/** Of destinations without a policy (Envoy's defaults). */
export const defaultRetryBudget: RetryBudgetSpec = { percent: 20, minConcurrency: 3 }

export const retryBudgetSchema: z.ZodType<RetryBudgetSpec> = z.strictObject({
  percent: z.number().min(0).max(100).default(defaultRetryBudget.percent),
  minConcurrency: z.int().min(0).max(10_000).default(defaultRetryBudget.minConcurrency),
})

// `circuitBreaker` of a TrafficPolicy as written, and its translation to the spec.
import { z } from 'zod'

import type { CallerLimitsSpec, CircuitBreakerSpec } from './circuit-breaker.spec.ts'

/** Absent: no bound. */
export interface CircuitBreakerSettings extends Partial<CircuitBreakerSpec> {
  /** At the sidecars of the workloads. */
  readonly perCaller?: CallerLimitsSpec
}

/** Of destinations without a policy: a number that suits everybody does not exist. Connections to one endpoint are bounded by its pool. */
export const defaultCircuitBreaker: CircuitBreakerSpec = {
  maxConnections: Infinity,
  maxPendingRequests: Infinity,
  maxRequests: Infinity,
}

const count = z.int().min(1).max(4_294_967_294)
const limit = count.exactOptional()

export const circuitBreakerSchema: z.ZodType<CircuitBreakerSettings> = z.strictObject({
  maxConnections: limit,
  maxPendingRequests: limit,
  maxRequests: limit,
  perCaller: z.strictObject({ maxRequests: count }).exactOptional(),
})

export function toCircuitBreakerSpec(settings: CircuitBreakerSettings): CircuitBreakerSpec {
  const { maxConnections, maxPendingRequests, maxRequests } = { ...defaultCircuitBreaker, ...settings }
  return { maxConnections, maxPendingRequests, maxRequests }
}

// `circuitBreaker` of a TrafficPolicy as written, and its translation to the spec.
import { z } from 'zod'

import type { CircuitBreakerSpec } from './circuit-breaker.spec.ts'

/** Absent: no bound. */
export type CircuitBreakerSettings = Partial<CircuitBreakerSpec>

/** Of destinations without a policy: a number that suits everybody does not exist. Connections to one endpoint are bounded by its pool. */
export const defaultCircuitBreaker: CircuitBreakerSpec = {
  maxConnections: Infinity,
  maxPendingRequests: Infinity,
  maxRequests: Infinity,
}

const limit = z.int().min(1).max(4_294_967_294).exactOptional()

export const circuitBreakerSchema: z.ZodType<CircuitBreakerSettings> = z.strictObject({
  maxConnections: limit,
  maxPendingRequests: limit,
  maxRequests: limit,
})

export function toCircuitBreakerSpec(settings: CircuitBreakerSettings): CircuitBreakerSpec {
  return { ...defaultCircuitBreaker, ...settings }
}

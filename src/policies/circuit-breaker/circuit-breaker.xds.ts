// Circuit breakers ↔ envoy.config.cluster.v3.CircuitBreakers, beside which the retry budget travels.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type {
  CircuitBreakers,
  CircuitBreakers_Thresholds_RetryBudgetSchema,
  CircuitBreakersSchema,
} from '../../contracts/xds/gen/envoy/config/cluster/v3/circuit_breaker_pb.ts'
import { RoutingPriority } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import type { CircuitBreakerSpec } from './circuit-breaker.spec.ts'

/** The largest that fits: Envoy knows no other way to say "no bound", and takes 1,024 where nothing is said. */
const unbounded = 4_294_967_295
const envoyDefault = 1_024

export function encodeCircuitBreaker(
  spec: CircuitBreakerSpec,
  retryBudget: MessageInitShape<typeof CircuitBreakers_Thresholds_RetryBudgetSchema>,
): MessageInitShape<typeof CircuitBreakersSchema> {
  const maxConnections = bounded(spec.maxConnections)
  const maxPendingRequests = bounded(spec.maxPendingRequests)
  const maxRequests = bounded(spec.maxRequests)
  const { DEFAULT: priority } = RoutingPriority
  return { thresholds: [{ priority, maxConnections, maxPendingRequests, maxRequests, retryBudget }] }
}

export function decodeCircuitBreaker(breakers: CircuitBreakers | undefined): CircuitBreakerSpec {
  const thresholds = breakers?.thresholds.find(({ priority }) => priority === RoutingPriority.DEFAULT)
  return {
    maxConnections: read(thresholds?.maxConnections),
    maxPendingRequests: read(thresholds?.maxPendingRequests),
    maxRequests: read(thresholds?.maxRequests),
  }
}

function bounded(limit: number): number {
  return Math.min(limit, unbounded)
}

function read(limit: number = envoyDefault): number {
  return limit === unbounded ? Infinity : limit
}

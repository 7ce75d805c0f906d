// Counts what is under way to a destination against its limits.
import type { CircuitBreakerSpec } from './circuit-breaker.spec.ts'

/** Which limit something ran into; as Envoy calls it. */
export type CircuitBreakerLimit = 'max_connections' | 'max_pending_requests' | 'max_requests'

/** Whoever begins or ends something counts it here. Limits may change while things are under way. */
export class CircuitBreaker {
  connections = 0
  pending = 0
  requests = 0
  limits: CircuitBreakerSpec

  constructor(limits: CircuitBreakerSpec) {
    this.limits = limits
  }

  get connectionsFull(): boolean {
    return this.connections >= this.limits.maxConnections
  }

  get pendingFull(): boolean {
    return this.pending >= this.limits.maxPendingRequests
  }

  get requestsFull(): boolean {
    return this.requests >= this.limits.maxRequests
  }
}

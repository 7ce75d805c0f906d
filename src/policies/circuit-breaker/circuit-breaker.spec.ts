// How much one proxy may ask of a destination at once (Envoy: circuit_breakers). Infinity: no bound.

export interface CircuitBreakerSpec {
  /** To all endpoints together. An endpoint without any gets one all the same. */
  readonly maxConnections: number
  /** Requests that wait for a connection. */
  readonly maxPendingRequests: number
  /** Under way, retries included. */
  readonly maxRequests: number
}

/** At the application. */
export interface CallerLimitsSpec {
  /** Of one caller, at once. */
  readonly maxRequests: number
}

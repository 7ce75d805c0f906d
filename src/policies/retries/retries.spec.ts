// When a failed attempt is repeated (Gateway API HTTPRouteRetry, GEP-1731), and how much of the traffic may be repeats.

export interface RetrySpec {
  /** Retries after the first attempt. */
  readonly attempts: number
  /** Statuses of the upstream that are retried, if the request is safe to repeat. */
  readonly statusCodes: readonly number[]
  /** gRPC statuses of the upstream that are retried; absent: none. */
  readonly grpcStatuses?: readonly number[]
  /** Least pause before a retry; grows exponentially with full jitter. */
  readonly backoffMs: number
}

export interface RetryBudgetSpec {
  /** Retries may be at most this share of the active requests ... */
  readonly percent: number
  /** ... but always this many at once. */
  readonly minConcurrency: number
}

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

/** How many of a destination's requests may be retries (Gateway API, GEP-3388). */
export interface RetryConstraintSpec {
  /** Of the requests within the interval ... */
  readonly percent: number
  readonly intervalMs: number
  /** ... but always so many within an interval of their own. */
  readonly minRetries: number
  readonly minIntervalMs: number
}

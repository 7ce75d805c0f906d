// Bounds on how long a request may take (Gateway API HTTPRouteTimeouts, GEP-1742). 0 or absent: no bound.

export interface TimeoutsSpec {
  /** Whole request, all attempts, as the caller sees it. */
  readonly requestMs?: number
  /** One attempt. */
  readonly backendRequestMs?: number
}

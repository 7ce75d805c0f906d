// Bounds on how long a request may take (Gateway API HTTPRouteTimeouts, GEP-1742). 0 or absent: no bound, if not said otherwise.

export interface TimeoutsSpec {
  /** Whole request, all attempts, as the caller sees it. */
  readonly requestMs?: number
  /** One attempt. */
  readonly backendRequestMs?: number
  /** How long nothing of it may move, either way; 0: for ever. Absent: as the listener says. */
  readonly idleMs?: number
}

// When a request and each of its attempts must be over, on the caller's monotonic clock (Gateway API HTTPRouteTimeouts, GEP-1742).
import type { TimeoutsSpec } from './timeouts.spec.ts'

/** Milliseconds on the same clock as `startMs`; Infinity without a bound. */
export function requestDeadlineMs(spec: TimeoutsSpec, startMs: number): number {
  return startMs + bound(spec.requestMs)
}

/** End of an attempt that starts at `nowMs`: its own bound, never beyond the request's. */
export function attemptDeadlineMs(spec: TimeoutsSpec, requestDeadline: number, nowMs: number): number {
  return Math.min(requestDeadline, nowMs + bound(spec.backendRequestMs))
}

function bound(timeoutMs: number | undefined): number {
  return timeoutMs === undefined || timeoutMs === 0 ? Number.POSITIVE_INFINITY : timeoutMs
}

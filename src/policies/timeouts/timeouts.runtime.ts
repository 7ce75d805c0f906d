// When a request and each of its attempts must be over, on the caller's monotonic clock (Gateway API HTTPRouteTimeouts, GEP-1742).
import type { TimeoutsSpec } from './timeouts.spec.ts'

/** How long nothing of a request may move, either way, where nothing else is said (Envoy's default). */
export const defaultStreamIdleTimeoutMs = 300_000

/** What `idleMs` of a destination makes of it; Infinity: for ever. */
export function idleTimeoutMs({ idleMs }: TimeoutsSpec, otherwiseMs: number): number {
  return idleMs === undefined ? otherwiseMs : idleMs || Infinity
}

/** Milliseconds on the same clock as `startMs`; Infinity without a bound. `callerMs`: how long the caller will wait, as it says. */
export function requestDeadlineMs(spec: TimeoutsSpec, startMs: number, callerMs: number = Infinity): number {
  return startMs + Math.min(bound(spec.requestMs), callerMs)
}

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 }

/** Milliseconds of a `grpc-timeout` (gRPC over HTTP/2, "Timeout"): at most eight digits and a unit. Undefined: it is none. */
export function parseGrpcTimeout(value: string): number | undefined {
  const unit = unitMs[value.slice(-1)]
  if (unit === undefined || !/^[0-9]{1,8}.$/.test(value)) return undefined
  return Number(value.slice(0, -1)) * unit
}

/** The other way, rounded up to what eight digits can say: nobody gives up early for it, nor is asked to wait for 0. */
export function formatGrpcTimeout(timeoutMs: number): string {
  const microseconds = Math.max(1, Math.ceil(timeoutMs * 1_000))
  if (microseconds < 1e8) return `${microseconds}u`
  const milliseconds = Math.ceil(timeoutMs)
  return milliseconds < 1e8 ? `${milliseconds}m` : `${Math.min(99_999_999, Math.ceil(timeoutMs / 1_000))}S`
}

/** Milliseconds of an `x-envoy-expected-rq-timeout-ms`. Undefined: it is none, or no bound (0). */
export function parseExpectedTimeout(value: string): number | undefined {
  return /^[0-9]{1,10}$/.test(value) ? Number(value) || undefined : undefined
}

/** Sums of fractions are off by less. */
const roundingErrorMs = 0.001

/** The other way, rounded up: nobody gives up early for it, nor takes it for no bound. */
export function formatExpectedTimeout(timeoutMs: number): string {
  return String(Math.min(9_999_999_999, Math.max(1, Math.ceil(timeoutMs - roundingErrorMs))))
}

/** End of an attempt that starts at `nowMs`: its own bound, never beyond the request's. */
export function attemptDeadlineMs(spec: TimeoutsSpec, requestDeadline: number, nowMs: number): number {
  return Math.min(requestDeadline, nowMs + bound(spec.backendRequestMs))
}

function bound(timeoutMs: number | undefined): number {
  return timeoutMs === undefined || timeoutMs === 0 ? Number.POSITIVE_INFINITY : timeoutMs
}

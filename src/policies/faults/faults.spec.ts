// Faults that callers of a destination suffer, in place of it or before they reach it (Envoy's HTTP fault filter).
import type { ValueMatchSpec } from '../route-match/route-match.spec.ts'

/** Millionths of the requests, 0 to 1,000,000. */
export type Share = number

export interface FaultsSpec {
  /** Requests that have all of these; none: all requests. */
  readonly headers: readonly ValueMatchSpec[]
  readonly delay?: { readonly share: Share; readonly by: DelaySource }
  readonly abort?: { readonly share: Share; readonly by: AbortSource }
  /** Of the requests that are not aborted: the connection or stream is reset instead of an answer. */
  readonly reset?: { readonly share: Share }
  /** The response's body comes no faster. */
  readonly responseRateLimit?: { readonly share: Share; readonly by: RateSource }
  /** While so many requests of a route suffer, no others do. Absent: no bound. */
  readonly maxActiveFaults?: number
  /** Milliseconds since the Unix epoch: requests that begin later do not suffer. Absent: for ever. */
  readonly untilMs?: number
}

/** `header`: the request itself says it, and so does the share that it may lower. */
export type DelaySource = { readonly kind: 'fixed'; readonly delayMs: number } | { readonly kind: 'header' }
export type AbortSource =
  | { readonly kind: 'http'; readonly status: number }
  | { readonly kind: 'grpc'; readonly status: number }
  | { readonly kind: 'header' }
/** KiB a second. */
export type RateSource = { readonly kind: 'fixed'; readonly limitKbps: number } | { readonly kind: 'header' }

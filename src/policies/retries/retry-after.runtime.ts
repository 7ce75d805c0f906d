// Retry-After (RFC 9110 section 10.2.3): so many seconds, or a date; and what else says how long to wait.
import type { HeaderList } from '../../core/header-list.ts'
import { parseHttpDate } from '../../core/http-date.ts'

/** Without a deadline nobody waits longer than this for another attempt. */
export const longestRetryAfterMs = 10_000

/** Milliseconds from `nowMs`, the wall time; undefined: it is none. A date that is past is 0. */
export function parseRetryAfter(value: string, nowMs: number): number | undefined {
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000
  const dateMs = parseHttpDate(value)
  return dateMs === undefined ? undefined : Math.max(0, dateMs - nowMs)
}

/** By `retry-after`, gRPC's `grpc-retry-pushback-ms`, or the `t` of a `RateLimit` that has nothing left (IETF draft); undefined: they do not say. */
export function askedPauseMs(headers: HeaderList, nowMs: number): number | undefined {
  const retryAfter = headers.get('retry-after')
  if (retryAfter !== undefined) return parseRetryAfter(retryAfter, nowMs)
  const pushback = headers.get('grpc-retry-pushback-ms')
  if (pushback !== undefined) return /^\d{1,9}$/.test(pushback) ? Number(pushback) : undefined
  const limits = headers.get('ratelimit') ?? ''
  const used = limits.split(',').filter((limit) => /;\s*r=0(?!\d)/.test(limit))
  const seconds = used.flatMap((limit) => /;\s*t=(\d{1,9})(?!\d)/.exec(limit)?.[1] ?? [])
  return seconds.length === 0 ? undefined : Math.max(...seconds.map(Number)) * 1_000
}

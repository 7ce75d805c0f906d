// Retry-After (RFC 9110 section 10.2.3): so many seconds, or a date.
import { parseHttpDate } from '../../core/http-date.ts'

/** Without a deadline nobody waits longer than this for another attempt. */
export const longestRetryAfterMs = 10_000

/** Milliseconds from `nowMs`, the wall time; undefined: it is none. A date that is past is 0. */
export function parseRetryAfter(value: string, nowMs: number): number | undefined {
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000
  const dateMs = parseHttpDate(value)
  return dateMs === undefined ? undefined : Math.max(0, dateMs - nowMs)
}

// Exponential back-off with full jitter: delay is uniform in [0, min(max, base · 2^attempt)].
import type { Random } from './random.ts'

export interface BackoffOptions {
  readonly baseMs: number
  readonly maxMs: number
}

/** Delay in milliseconds before try number `attempt` (0 is the first retry). */
export function backoffMs(options: BackoffOptions, attempt: number, random: Random): number {
  const ceiling = Math.min(options.maxMs, options.baseMs * 2 ** Math.min(attempt, 30))
  return random.next() * ceiling
}

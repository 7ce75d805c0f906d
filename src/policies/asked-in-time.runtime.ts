// A question that is given up when there is no answer in time.
import type { Clock } from '../core/clock.ts'

/** Rejects then, and its signal says that nobody waits any more. */
export async function askedInTime<T>(
  clock: Clock,
  timeoutMs: number,
  ask: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const aborter = new AbortController()
  const late = Promise.withResolvers<never>()
  const timer = clock.setTimer(timeoutMs, () => {
    aborter.abort()
    late.reject(new Error(`no answer within ${timeoutMs} ms`))
  })
  try {
    return await Promise.race([ask(aborter.signal), late.promise])
  } finally {
    timer.cancel()
  }
}

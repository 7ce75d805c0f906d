// Polls until something holds: for what another process does, where no clock can be moved by hand.
import { setTimeout as wait } from 'node:timers/promises'

export interface EventuallyOptions {
  readonly timeoutMs?: number
  readonly everyMs?: number
}

/** Answers what `probe` answers once it no longer throws; after `timeoutMs` (15 s) throws its last error. */
export async function eventually<T>(
  probe: () => T | Promise<T>,
  { timeoutMs = 15_000, everyMs = 25 }: EventuallyOptions = {},
): Promise<T> {
  const untilMs = performance.now() + timeoutMs
  for (;;) {
    try {
      return await probe()
    } catch (error) {
      if (performance.now() >= untilMs) throw error
    }
    await wait(everyMs)
  }
}

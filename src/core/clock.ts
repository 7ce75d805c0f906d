// All time goes through a Clock: the proxy runs on the system's, tests and simulations on a manual one.

import { timeOfRead } from './read-turn.ts'

/** A pending call; `cancel` is idempotent. */
export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Wall time, milliseconds since the Unix epoch. */
  nowMs(): number
  /** Monotonic time in milliseconds with fractions; only differences mean anything. */
  monotonicMs(): number
  /** Calls `fn` once after `delayMs`. Timers never keep the process alive unless `keepAlive`. */
  setTimer(delayMs: number, fn: () => void, keepAlive?: boolean): Timer
}

/** What setTimeout can wait for; anything longer would fire at once. */
const longestDelayMs = 2 ** 31 - 1

class SystemTimer implements Timer {
  readonly #fn: () => void
  readonly #keepAlive: boolean
  #handle: NodeJS.Timeout | undefined

  constructor(delayMs: number, fn: () => void, keepAlive: boolean) {
    this.#fn = fn
    this.#keepAlive = keepAlive
    this.#arm(delayMs)
  }

  cancel(): void {
    clearTimeout(this.#handle)
  }

  #arm(delayMs: number): void {
    this.#handle =
      delayMs > longestDelayMs
        ? setTimeout(() => this.#arm(delayMs - longestDelayMs), longestDelayMs)
        : setTimeout(this.#fn, delayMs)
    if (!this.#keepAlive) this.#handle.unref()
  }
}

const performanceNow = (): number => performance.now()

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => timeOfRead(performanceNow),
  setTimer: (delayMs, fn, keepAlive = false) => new SystemTimer(delayMs, fn, keepAlive),
}

/** Resolves after `delayMs` of the clock's time. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(delayMs, resolve, true)
  })
}

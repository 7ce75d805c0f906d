// All time goes through a Clock: the proxy runs on the system's, tests and simulations on a manual one.

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

class SystemTimer implements Timer {
  #handle: NodeJS.Timeout
  constructor(handle: NodeJS.Timeout) {
    this.#handle = handle
  }
  cancel(): void {
    clearTimeout(this.#handle)
  }
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer(delayMs, fn, keepAlive = false) {
    const handle = setTimeout(fn, delayMs)
    if (!keepAlive) handle.unref()
    return new SystemTimer(handle)
  },
}

/** Resolves after `delayMs` of the clock's time. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(delayMs, resolve, true)
  })
}

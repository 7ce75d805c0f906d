// How much of a cluster's traffic may be repeats at once: without such a bound, retries turn a slow backend into a dead one.
import type { RetryBudgetSpec } from './retries.spec.ts'

export interface RetryBudget {
  /** A request, not counting its repeats, begins or ends. */
  requestStarted(): void
  requestFinished(): void
  /** True: a retry is under way and `retryFinished` must follow. False: the budget is spent. */
  tryRetry(): boolean
  retryFinished(): void
  readonly activeRequests: number
  readonly activeRetries: number
}

class ConcurrencyBudget implements RetryBudget {
  readonly #spec: RetryBudgetSpec
  activeRequests = 0
  activeRetries = 0

  constructor(spec: RetryBudgetSpec) {
    this.#spec = spec
  }

  requestStarted(): void {
    this.activeRequests++
  }

  requestFinished(): void {
    this.activeRequests--
  }

  tryRetry(): boolean {
    const share = Math.floor((this.activeRequests * this.#spec.percent) / 100)
    if (this.activeRetries >= Math.max(this.#spec.minConcurrency, share)) return false
    this.activeRetries++
    return true
  }

  retryFinished(): void {
    this.activeRetries--
  }
}

export function createRetryBudget(spec: RetryBudgetSpec): RetryBudget {
  return new ConcurrencyBudget(spec)
}

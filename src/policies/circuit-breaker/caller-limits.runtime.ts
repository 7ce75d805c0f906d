// What each caller has under way at an application, against what one may have.
import type { CallerLimitsSpec } from './circuit-breaker.spec.ts'

/** What something ran into. */
export type CallerLimit = 'max_requests_per_caller'

export class CallerLimits {
  limits: CallerLimitsSpec
  /** By caller; only of those that have any. */
  readonly #requests = new Map<string, number>()

  constructor(limits: CallerLimitsSpec) {
    this.limits = limits
  }

  /** Callers with something under way. */
  get callers(): number {
    return this.#requests.size
  }

  /** False: the caller has as many as it may have. Otherwise to be followed by one `left`. */
  enters(caller: string): boolean {
    const count = this.#requests.get(caller) ?? 0
    if (count >= this.limits.maxRequests) return false
    this.#requests.set(caller, count + 1)
    return true
  }

  left(caller: string): void {
    const count = this.#requests.get(caller) ?? 0
    if (count > 1) this.#requests.set(caller, count - 1)
    else this.#requests.delete(caller)
  }
}

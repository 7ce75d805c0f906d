// What answers to health checks make of an endpoint or an application, and when it is asked again.
import type { HealthCheckSpec } from '../../contracts/health-check.ts'
import type { Random } from '../../core/random.ts'

/** Of an interval: those who began together do not ask together. */
const jitter = 0.1
/** Until it has been healthy once, an application is asked often. */
const eagerMs = 50
const eagerGrowth = 1.5

export class HealthState {
  healthy: boolean
  /** What the newest answer was, when it was bad: "status 503". */
  failure: string | undefined
  /** It has been healthy, or was taken to be. */
  #wasHealthy: boolean
  /** Answers in a row that speak against what holds. */
  #against = 0
  #answers = 0

  /** `healthy`: what it is taken to be until it has been asked often enough. */
  constructor(healthy: boolean) {
    this.healthy = healthy
    this.#wasHealthy = healthy
  }

  get wasHealthy(): boolean {
    return this.#wasHealthy
  }

  /** `failure`: why the answer is none, or a bad one. True: `healthy` has changed. */
  answered(spec: HealthCheckSpec, failure: string | undefined): boolean {
    this.#answers++
    this.failure = failure
    if ((failure === undefined) === this.healthy) {
      this.#against = 0
      return false
    }
    if (++this.#against < (this.healthy ? spec.unhealthyThreshold : spec.healthyThreshold)) return false
    this.#against = 0
    this.healthy = !this.healthy
    if (this.healthy) this.#wasHealthy = true
    return true
  }

  /** From the end of one question to the next. */
  nextMs({ intervalMs }: HealthCheckSpec, random: Random): number {
    const eager = eagerMs * eagerGrowth ** Math.min(this.#answers, 30)
    const delayMs = this.#wasHealthy ? intervalMs : Math.min(intervalMs, eager)
    return delayMs * (1 + jitter * (2 * random.next() - 1))
  }
}

/** Of the first question of one of many who ask. */
export function firstAskMs({ intervalMs }: HealthCheckSpec, random: Random): number {
  return intervalMs * random.next()
}

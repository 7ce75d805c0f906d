// Asks the endpoints of one cluster, each in its own time, whether they work.
import type { HealthCheckSpec } from '../../contracts/health-check.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import type { Random } from '../../core/random.ts'
import { firstAskMs } from '../../policies/health-checks/health-checks.runtime.ts'
import type { Endpoint } from './endpoint.ts'

export interface HealthCheckerDeps {
  readonly clock: Clock
  readonly random: Random
  /** Why the endpoint does not work; undefined: it does. Never rejects. */
  readonly ask: (endpoint: Endpoint, spec: HealthCheckSpec) => Promise<string | undefined>
  /** After each answer. `changed`: the endpoint has become healthy, or unhealthy. */
  readonly answered: (failure: string | undefined, changed: boolean) => void
}

export class HealthChecker {
  readonly #deps: HealthCheckerDeps
  #spec: HealthCheckSpec
  /** Of the endpoints that are asked; undefined while the answer is awaited. */
  readonly #asked = new Map<Endpoint, Timer | undefined>()

  constructor(deps: HealthCheckerDeps, spec: HealthCheckSpec) {
    this.#deps = deps
    this.#spec = spec
  }

  /** Those that stay keep what is known of them. */
  update(spec: HealthCheckSpec, endpoints: readonly Endpoint[]): void {
    this.#spec = spec
    const wanted = new Set(endpoints)
    for (const [endpoint, timer] of this.#asked) {
      if (wanted.has(endpoint)) continue
      timer?.cancel()
      this.#asked.delete(endpoint)
    }
    for (const endpoint of wanted)
      if (!this.#asked.has(endpoint)) this.#askIn(endpoint, firstAskMs(spec, this.#deps.random))
  }

  stop(): void {
    this.update(this.#spec, [])
  }

  #askIn(endpoint: Endpoint, delayMs: number): void {
    this.#asked.set(
      endpoint,
      this.#deps.clock.setTimer(delayMs, () => void this.#ask(endpoint)),
    )
  }

  async #ask(endpoint: Endpoint): Promise<void> {
    this.#asked.set(endpoint, undefined)
    const spec = this.#spec
    const failure = await this.#deps.ask(endpoint, spec)
    // gone meanwhile
    if (!this.#asked.has(endpoint)) return
    this.#askIn(endpoint, endpoint.health.nextMs(this.#spec, this.#deps.random))
    this.#deps.answered(failure, endpoint.health.answered(spec, failure))
  }
}

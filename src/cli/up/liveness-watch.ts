// Asks one application again and again whether it still works, from when it listens until it does not.
import type { ProbeSpec } from '../../contracts/health-check.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import type { Random } from '../../core/random.ts'
import { HealthState } from '../../policies/health-checks/health-checks.runtime.ts'
import { describeProbe, type HealthProbe } from './readiness-watch.ts'

export interface LivenessWatchDeps {
  readonly clock: Clock
  readonly random: Random
  readonly ask: HealthProbe
  /** It does not work any more, and why. Once. */
  readonly failed: (message: string) => void
}

export class LivenessWatch {
  readonly #deps: LivenessWatchDeps
  readonly #spec: ProbeSpec
  readonly #state = new HealthState(true)
  #timer: Timer | undefined
  #stopped = false

  constructor(deps: LivenessWatchDeps, spec: ProbeSpec) {
    this.#deps = deps
    this.#spec = spec
    this.#timer = deps.clock.setTimer(spec.initialDelayMs, () => void this.#ask())
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  async #ask(): Promise<void> {
    const { clock, random, ask, failed } = this.#deps
    const { check } = this.#spec
    const failure = await ask(this.#spec, check)
    if (this.#stopped) return
    this.#state.answered(check, failure)
    if (this.#state.healthy) {
      this.#timer = clock.setTimer(this.#state.nextMs(check, random), () => void this.#ask())
      return
    }
    this.stop()
    failed(`${describeProbe('livenessProbe', this.#spec)}: ${failure}`)
  }
}

// Asks one application again and again whether it is ready, from when it listens.
import type { HealthCheckSpec, ProbeSpec } from '../../contracts/health-check.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import type { Random } from '../../core/random.ts'
import { HealthState } from '../../policies/health-checks/health-checks.runtime.ts'

export interface HealthPlace {
  readonly host: string
  readonly port: number
}

/** Why it does not work; undefined: it does. Never rejects. */
export type HealthProbe = (place: HealthPlace, check: HealthCheckSpec) => Promise<string | undefined>

export interface ReadinessWatchDeps {
  readonly clock: Clock
  readonly random: Random
  readonly ask: HealthProbe
  /** `ready` or `message` is another. */
  readonly changed: () => void
}

/** One that has not been ready for so long has failed, rather than being about to. */
const failingAfterMs = 10_000

export class ReadinessWatch {
  readonly #deps: ReadinessWatchDeps
  readonly #spec: ProbeSpec
  readonly #state = new HealthState(false)
  readonly #sinceMs: number
  #failing = false
  #message: string | undefined
  #timer: Timer | undefined
  #stopped = false

  constructor(deps: ReadinessWatchDeps, spec: ProbeSpec) {
    this.#deps = deps
    this.#spec = spec
    this.#sinceMs = deps.clock.monotonicMs()
    this.#timer = deps.clock.setTimer(spec.initialDelayMs, () => void this.#ask())
  }

  get ready(): boolean {
    return this.#state.healthy
  }

  /** It was ready before, or had time enough to be. */
  get failing(): boolean {
    return this.#failing
  }

  /** Why it is not ready. */
  get message(): string | undefined {
    return this.#message
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  async #ask(): Promise<void> {
    const { clock, random, ask, changed } = this.#deps
    const { check } = this.#spec
    const failure = await ask(this.#spec, check)
    if (this.#stopped) return
    const before = `${this.ready} ${this.#failing} ${this.#message}`
    this.#state.answered(check, failure)
    const late = clock.monotonicMs() - this.#sinceMs >= this.#spec.initialDelayMs + failingAfterMs
    this.#failing = !this.ready && (this.#state.wasHealthy || late)
    // what is said of one that is ready changes only with its state
    this.#message =
      this.ready || failure === undefined ? undefined : `${describeProbe('readinessProbe', this.#spec)}: ${failure}`
    this.#timer = clock.setTimer(this.#state.nextMs(check, random), () => void this.#ask())
    if (before !== `${this.ready} ${this.#failing} ${this.#message}`) changed()
  }
}

export function describeProbe(name: string, { host, port, check: { question } }: ProbeSpec): string {
  const where = `${host}:${port}`
  if (question.kind === 'http') return `${name} GET http://${where}${question.path}`
  if (question.kind === 'tcp') return `${name} of ${where}`
  return `${name} grpc.health.v1 of ${where}${question.service === '' ? '' : ` (${question.service})`}`
}

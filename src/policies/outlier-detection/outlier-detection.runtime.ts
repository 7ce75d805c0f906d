// Ejects endpoints that fail or are slow, and lets one request try whether they have recovered.
import type { FinishedAttempt } from '../../contracts/load-balancer.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import type { Random } from '../../core/random.ts'
import { outliers } from './endpoint-comparison.runtime.ts'
import type { EjectionReason, OutlierDetectionSpec } from './outlier-detection.spec.ts'

/** How an attempt ended, as far as the endpoint is to blame. */
export type OutlierOutcome = 'success' | '5xx' | 'gateway-error' | 'local-origin-failure'

/** gRPC statuses that are the server's failure, and those of them that stand for 503 and 504 (UNAVAILABLE, DEADLINE_EXCEEDED). */
const grpcFailures: ReadonlySet<number> = new Set([2, 4, 13, 14, 15])
const grpcGatewayErrors: ReadonlySet<number> = new Set([4, 14])

/** Undefined: it says nothing about the endpoint. `grpc`: the status of a gRPC call counts, wherever it was said. */
export function outlierOutcome(attempt: FinishedAttempt, grpc: boolean): OutlierOutcome | undefined {
  const { outcome, status } = attempt
  // refused: the peer is leaving in good order, or has too many streams
  if (outcome === 'cancelled' || outcome === 'overflow' || outcome === 'refused') return undefined
  if (outcome !== 'response') return 'local-origin-failure'
  if (status >= 500) return status >= 502 && status <= 504 ? 'gateway-error' : '5xx'
  const grpcStatus = grpc ? attempt.grpcStatus : undefined
  if (grpcStatus === undefined || !grpcFailures.has(grpcStatus)) return 'success'
  return grpcGatewayErrors.has(grpcStatus) ? 'gateway-error' : '5xx'
}

/** What is known of one endpoint. One object for its whole life: nothing is looked up for a request. */
export class OutlierState {
  /**
   * `in`: takes part. `out`: ejected. `half-open`: its time is over, the next request tries it. `probing`: that request is under way, and
   * decides.
   */
  phase: 'in' | 'out' | 'half-open' | 'probing' = 'in'
  reason: EjectionReason | undefined
  /** How often in a row; one less after each interval that it took part in. */
  ejections = 0
  untilMs = 0
  errors5xx = 0
  gatewayErrors = 0
  localFailures = 0
  // of the interval
  requests = 0
  failures = 0
  timeMs = 0

  get available(): boolean {
    return this.phase === 'in' || this.phase === 'half-open'
  }

  clearCounts(): void {
    this.errors5xx = this.gatewayErrors = this.localFailures = 0
    this.clearInterval()
  }

  clearInterval(): void {
    this.requests = this.failures = this.timeMs = 0
  }
}

export interface OutlierDeps {
  readonly clock: Clock
  readonly random: Random
  /** An endpoint has become available, or has ceased to be. */
  changed(state: OutlierState): void
}

/** Callers that ejected together do not come back together. */
const jitter = 0.1

export class OutlierDetector {
  readonly #deps: OutlierDeps
  #spec: OutlierDetectionSpec
  #states: readonly OutlierState[] = []
  #out = 0
  #compareAtMs: number | undefined
  #timer: Timer | undefined
  #wakesAtMs = Infinity

  constructor(deps: OutlierDeps, spec: OutlierDetectionSpec) {
    this.#deps = deps
    this.#spec = spec
  }

  /** Endpoints that are ejected or being tried. */
  get ejected(): number {
    return this.#out
  }

  /** Those that stay keep what is known of them. */
  update(spec: OutlierDetectionSpec, states: readonly OutlierState[]): void {
    this.#spec = spec
    this.#states = states
    this.#out = states.filter(isOut).length
    this.#wake()
  }

  /** All take part again. */
  stop(): void {
    this.#wakeAt(Infinity)
    for (const state of this.#states) state.phase = 'in'
    this.#states = []
  }

  /** An attempt begins. */
  started(state: OutlierState): void {
    if (state.phase !== 'half-open') return
    state.phase = 'probing'
    this.#deps.changed(state)
  }

  /** Its attempt ended without a word about the endpoint: the caller has gone. */
  abandoned(state: OutlierState): void {
    if (state.phase !== 'probing' || !this.#states.includes(state)) return
    state.phase = 'half-open'
    this.#deps.changed(state)
  }

  finished(state: OutlierState, outcome: OutlierOutcome, durationMs: number): void {
    if (state.phase === 'probing') {
      // its endpoint may be gone
      if (!this.#states.includes(state)) return
      if (outcome === 'success') this.#admit(state)
      else this.#eject(state, state.reason as EjectionReason)
      return
    }
    // it began before the ejection
    if (state.phase !== 'in') return
    this.#count(state, outcome, durationMs)
    const reason = this.#tooManyInARow(state)
    if (reason !== undefined) this.#ejectIfAllowed(state, reason)
    this.#compare()
  }

  #count(state: OutlierState, outcome: OutlierOutcome, durationMs: number): void {
    state.requests++
    state.timeMs += durationMs
    if (outcome === 'success') {
      state.errors5xx = state.gatewayErrors = state.localFailures = 0
      return
    }
    state.failures++
    const local = outcome === 'local-origin-failure'
    if (local) state.localFailures++
    if (local && this.#spec.splitLocalOrigin) return
    state.errors5xx++
    if (outcome === '5xx') state.gatewayErrors = 0
    else state.gatewayErrors++
  }

  #tooManyInARow({ errors5xx, gatewayErrors, localFailures }: OutlierState): EjectionReason | undefined {
    const { consecutive5xx, consecutiveGatewayErrors, consecutiveLocalOriginFailures, splitLocalOrigin } = this.#spec
    if (consecutive5xx > 0 && errors5xx >= consecutive5xx) return 'consecutive-5xx'
    if (consecutiveGatewayErrors > 0 && gatewayErrors >= consecutiveGatewayErrors) return 'consecutive-gateway-errors'
    const failed = splitLocalOrigin && consecutiveLocalOriginFailures > 0
    return failed && localFailures >= consecutiveLocalOriginFailures ? 'consecutive-local-origin-failures' : undefined
  }

  /** At the first request after each interval: where nothing is asked, nothing is known. */
  #compare(): void {
    const nowMs = this.#deps.clock.monotonicMs()
    this.#compareAtMs ??= nowMs + this.#spec.intervalMs
    if (nowMs < this.#compareAtMs) return
    this.#compareAtMs = nowMs + this.#spec.intervalMs
    for (const { state, reason } of outliers(this.#states, this.#spec)) this.#ejectIfAllowed(state, reason)
    for (const state of this.#states) {
      if (state.phase === 'in' && state.ejections > 0) state.ejections--
      state.clearInterval()
    }
  }

  #ejectIfAllowed(state: OutlierState, reason: EjectionReason): void {
    const { maxEjectionPercent } = this.#spec
    const count = this.#states.length
    const most = maxEjectionPercent === 0 ? 0 : Math.max(1, Math.floor((count * maxEjectionPercent) / 100))
    if (this.#out >= Math.min(most, count - 1) || !this.#states.includes(state)) return
    this.#out++
    this.#eject(state, reason)
  }

  #eject(state: OutlierState, reason: EjectionReason): void {
    const { baseEjectionMs, maxEjectionMs } = this.#spec
    const { clock, random } = this.#deps
    const lastsMs = Math.min(maxEjectionMs, baseEjectionMs * 2 ** Math.min(state.ejections, 30))
    state.phase = 'out'
    state.reason = reason
    state.ejections++
    state.untilMs = clock.monotonicMs() + lastsMs * (1 + jitter * random.next())
    state.clearCounts()
    this.#deps.changed(state)
    if (state.untilMs < this.#wakesAtMs) this.#wakeAt(state.untilMs)
  }

  #admit(state: OutlierState): void {
    this.#out--
    state.phase = 'in'
    state.reason = undefined
    state.clearCounts()
    this.#deps.changed(state)
  }

  /** One timer, for whichever comes back first. */
  #wake(): void {
    let firstMs = Infinity
    for (const { phase, untilMs } of this.#states) if (phase === 'out') firstMs = Math.min(firstMs, untilMs)
    this.#wakeAt(firstMs)
  }

  #wakeAt(atMs: number): void {
    this.#timer?.cancel()
    this.#wakesAtMs = atMs
    const { clock } = this.#deps
    this.#timer =
      atMs === Infinity ? undefined : clock.setTimer(Math.max(0, atMs - clock.monotonicMs()), () => this.#due())
  }

  #due(): void {
    const nowMs = this.#deps.clock.monotonicMs()
    for (const state of this.#states) {
      if (state.phase !== 'out' || state.untilMs > nowMs) continue
      state.phase = 'half-open'
      this.#deps.changed(state)
    }
    this.#wake()
  }
}

function isOut({ phase }: OutlierState): boolean {
  return phase !== 'in'
}

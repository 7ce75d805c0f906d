// One TypeScript filter in force: its calls are timed, bounded and counted, and what fails too often is left alone for a while.
import type { FilterHandlers } from '../../contracts/filter.ts'
import type { Clock } from '../../core/clock.ts'
import { Deadlined, type DeadlineList } from '../../core/deadline-list.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import type { Stopwatch } from '../../core/stopwatch.ts'
import type { FilterFailure, FilterPhase, TypescriptFilterSpec } from './typescript-filter.spec.ts'

/** Counts for one filter. */
export interface FilterMeter {
  called(phase: FilterPhase, durationMs: number): void
  failed(phase: FilterPhase, failure: FilterFailure, error?: unknown): void
  bypassed(is: boolean): void
  event(event: string, value: string): void
  observed(name: string, value: number): void
}

/** Counts nothing. */
export const silentMeter: FilterMeter = { called() {}, failed() {}, bypassed() {}, event() {}, observed() {} }

export interface RunningFilterDeps {
  readonly clock: Clock
  readonly stopwatch: Stopwatch
  readonly deadlines: DeadlineList
  readonly logger: Logger
  readonly meter: FilterMeter
}

/** What a call is that does not count. */
export const failed: unique symbol = Symbol('failed')

/** So many calls in a row that failed or were late ... */
const failuresToBypass = 20
/** ... let the next requests pass without the filter for so long. Only where `onError` lets them pass anyhow. */
const bypassMs = 10_000

/** One line of the log for each kind of failure, so often. */
const logEveryMs = 10_000

export class RunningFilter {
  readonly spec: TypescriptFilterSpec
  readonly handlers: FilterHandlers
  readonly meter: FilterMeter
  readonly #deps: RunningFilterDeps
  readonly #loaded: boolean
  #failuresInARow = 0
  #bypassedUntilMs = 0
  readonly #loggedMs = new Map<FilterFailure, number>()

  /** Without handlers, it could not be loaded: every call fails. */
  constructor(spec: TypescriptFilterSpec, handlers: FilterHandlers | undefined, deps: RunningFilterDeps) {
    this.spec = spec
    this.handlers = handlers ?? { onRequest() {} }
    this.meter = deps.meter
    this.#loaded = handlers !== undefined
    this.#deps = deps
  }

  /** A promise only where the filter gave one. */
  call<T>(phase: FilterPhase, invoke: () => T | Promise<T>): T | typeof failed | Promise<T | typeof failed> {
    if (!this.#loaded) return this.#failed(phase, 'not_loaded', undefined)
    if (this.#bypassedUntilMs !== 0 && this.#isBypassed(phase)) return failed
    const { stopwatch } = this.#deps
    const startMs = stopwatch()
    let result: T | Promise<T>
    try {
      result = invoke()
    } catch (error) {
      this.meter.called(phase, stopwatch() - startMs)
      return this.#failed(phase, 'error', error)
    }
    if (isThenable(result)) return this.#awaited(phase, result, startMs)
    this.#done(phase, stopwatch() - startMs)
    return result
  }

  /** Of a body that it is not shown. */
  tooLarge(phase: FilterPhase): void {
    this.meter.failed(phase, 'too_large')
    this.#log('too_large', phase, `the body is longer than maxBodyBytes (${this.spec.maxBodyBytes})`)
  }

  wrongAnswer(phase: FilterPhase, error: unknown): void {
    this.#failed(phase, 'error', error)
  }

  #awaited<T>(phase: FilterPhase, promise: Promise<T>, startMs: number): Promise<T | typeof failed> {
    const { clock, deadlines, stopwatch } = this.#deps
    const { promise: settled, resolve } = Promise.withResolvers<T | typeof failed>()
    let over = false
    const end = (): boolean => {
      if (over) return false
      over = true
      deadlines.remove(deadline)
      this.meter.called(phase, stopwatch() - startMs)
      return true
    }
    const deadline = new CallDeadline(() => {
      if (end()) resolve(this.#failed(phase, 'timeout', undefined))
    })
    deadlines.add(deadline, clock.monotonicMs() + this.spec.timeBudgetMs)
    const kept = (value: T): void => {
      if (!end()) return
      this.#failuresInARow = 0
      resolve(value)
    }
    promise.then(kept, (error: unknown) => {
      if (end()) resolve(this.#failed(phase, 'error', error))
    })
    return settled
  }

  #done(phase: FilterPhase, durationMs: number): void {
    this.meter.called(phase, durationMs)
    if (durationMs <= this.spec.timeBudgetMs) this.#failuresInARow = 0
    else this.#failed(phase, 'late', undefined)
  }

  #failed(phase: FilterPhase, failure: FilterFailure, error: unknown): typeof failed {
    this.meter.failed(phase, failure, error)
    this.#log(failure, phase, error === undefined ? undefined : describe(error))
    this.#failuresInARow++
    const { onError, name } = this.spec
    if (onError === 'Continue' && this.#loaded && this.#failuresInARow >= failuresToBypass) {
      const { clock, logger } = this.#deps
      // the next failure after that does the same again, the next success ends it
      this.#failuresInARow = failuresToBypass - 1
      this.#bypassedUntilMs = clock.monotonicMs() + bypassMs
      this.meter.bypassed(true)
      logger.warn('filter fails again and again: requests pass without it for a while', { filter: name, bypassMs })
    }
    return failed
  }

  #isBypassed(phase: FilterPhase): boolean {
    if (this.#deps.clock.monotonicMs() < this.#bypassedUntilMs) {
      this.meter.failed(phase, 'bypassed')
      return true
    }
    this.#bypassedUntilMs = 0
    this.meter.bypassed(false)
    return false
  }

  #log(failure: FilterFailure, phase: FilterPhase, error: string | undefined): void {
    const { clock, logger } = this.#deps
    const nowMs = clock.monotonicMs()
    if (nowMs - (this.#loggedMs.get(failure) ?? -Infinity) < logEveryMs) return
    this.#loggedMs.set(failure, nowMs)
    const { name, onError, timeBudgetMs } = this.spec
    logger.warn('filter failed', { filter: name, phase, failure, onError, timeBudgetMs, error })
  }
}

class CallDeadline extends Deadlined {
  readonly #fn: () => void

  constructor(fn: () => void) {
    super()
    this.#fn = fn
  }

  expired(): void {
    this.#fn()
  }
}

function isThenable<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/** With the line of the filter that it came from. */
function describe(error: unknown): string {
  const message = errorMessage(error)
  const place = error instanceof Error ? /heddle-filters\/\S*?:(\d+:\d+)/.exec(error.stack ?? '')?.[1] : undefined
  return place === undefined ? message : `${message} (at ${place})`
}

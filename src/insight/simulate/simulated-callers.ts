// The callers of one client group: requests at random times, or callers that each wait for their answer.
import type { Timer } from '../../core/clock.ts'
import { DeadlineList } from '../../core/deadline-list.ts'
import type { Random } from '../../core/random.ts'
import type { Measurements } from './measurements.ts'
import { exponential } from './service-time.ts'
import { SimulatedCall, type CallOwner } from './simulated-call.ts'
import type { SimulatedProxy } from './simulated-proxy.ts'
import type { VirtualClock } from './virtual-clock.ts'

export interface CallersModel {
  readonly workload: string
  readonly authority: string
  /** Requests per second; absent: `callers` of them wait. */
  readonly rate?: number
  readonly callers?: number
  readonly pauseMs: number
  readonly getPercent: number
  /** Infinity: they wait for ever. */
  readonly timeoutMs: number
  /** Nobody asks after it. */
  readonly untilMs: number
}

export interface CallersDeps {
  readonly clock: VirtualClock
  readonly random: Random
  readonly measurements: Measurements
  readonly proxies: readonly SimulatedProxy[]
}

export class SimulatedCallers implements CallOwner {
  readonly model: CallersModel
  readonly #deps: CallersDeps
  readonly #deadlines: DeadlineList
  #factor = 1
  #next: Timer | undefined

  constructor(deps: CallersDeps, model: CallersModel) {
    this.#deps = deps
    this.model = model
    this.#deadlines = new DeadlineList(deps.clock)
  }

  start(): void {
    const { callers, pauseMs } = this.model
    if (callers === undefined) {
      this.#arriveLater()
      return
    }
    const { clock, random } = this.#deps
    // at different times, as callers come
    for (let caller = 0; caller < callers; caller++) clock.setTimer(random.next() * pauseMs, () => this.#call())
  }

  /** So many times as many requests from now on, where they come at a rate. */
  surge(factor: number): void {
    this.#factor = factor
    this.#next?.cancel()
    this.#arriveLater()
  }

  callOver(call: SimulatedCall, gaveUp: boolean): void {
    this.#deadlines.remove(call)
    this.#deps.measurements.answered(call, gaveUp)
    if (this.model.rate !== undefined) return
    // also without a pause not within the end of the last one
    this.#deps.clock.setTimer(this.model.pauseMs, () => this.#call())
  }

  #arriveLater(): void {
    const { clock, random } = this.#deps
    const perSecond = (this.model.rate ?? 0) * this.#factor
    if (perSecond === 0 || clock.elapsedMs >= this.model.untilMs) return
    this.#next = clock.setTimer(exponential(random, 1_000 / perSecond), () => {
      this.#call()
      this.#arriveLater()
    })
  }

  #call(): void {
    const { clock, random, measurements, proxies } = this.#deps
    const { getPercent, authority, timeoutMs, untilMs } = this.model
    if (clock.elapsedMs >= untilMs) return
    const nowMs = clock.monotonicMs()
    const method = getPercent === 100 || random.next() * 100 < getPercent ? 'GET' : 'POST'
    const call = new SimulatedCall(this, nowMs, measurements.asked(), method, authority)
    if (timeoutMs !== Infinity) this.#deadlines.add(call, nowMs + timeoutMs)
    const proxy = proxies.length === 1 ? proxies[0] : proxies[random.int(proxies.length)]
    proxy?.serve(call)
  }
}

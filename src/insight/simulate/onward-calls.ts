// What an instance asks of other services for each request that it works on: one call after another, through the proxy beside it.
import type { Locality } from '../../contracts/locality.ts'
import { DeadlineList } from '../../core/deadline-list.ts'
import type { Random } from '../../core/random.ts'
import type { WatchableValue } from '../../core/watchable.ts'
import type { ListenerConfig, RuntimeConfig } from '../../proxy/runtime/runtime-config.ts'
import type { OnwardAsker } from './application-instance.ts'
import { type Interval, isFailure } from './measurements.ts'
import { type CallOwner, SimulatedCall } from './simulated-call.ts'
import type { SimulatedNetwork } from './simulated-network.ts'
import { SimulatedProxy } from './simulated-proxy.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** One service that the instances of a workload call. */
export interface OnwardTarget {
  readonly workload: string
  readonly service: string
  readonly authority: string
  readonly getPercent: number
  /** Infinity: they wait for ever. */
  readonly timeoutMs: number
  readonly runtime: WatchableValue<RuntimeConfig>
  readonly listener: ListenerConfig
  /** Of all instances, since counting began. */
  readonly counts: { calls: number; failed: number; attempts: number }
}

export interface OnwardCallsOptions {
  readonly clock: VirtualClock
  readonly random: Random
  readonly network: SimulatedNetwork
  readonly locality: Locality | undefined
  readonly spiffeId: string
  /** In their order. */
  readonly targets: readonly OnwardTarget[]
}

/** An application that cannot get what it needs. */
const badGateway = 502
/** What callers in front see is shown over time; this is not. */
const unseen: Interval = { requests: 0, failed: 0, attempts: 0, waiting: 0, latenciesMs: [] }

export class OnwardCalls implements OnwardAsker {
  readonly #options: OnwardCallsOptions
  readonly #deadlines: DeadlineList
  /** By target; made when first needed, and anew when their process has died. */
  #proxies: SimulatedProxy[] = []

  constructor(options: OnwardCallsOptions) {
    this.#options = options
    this.#deadlines = new DeadlineList(options.clock)
  }

  ask(answered: (status: number) => void): void {
    this.#ask(0, answered)
  }

  kill(): void {
    this.#proxies = []
  }

  #ask(index: number, answered: (status: number) => void): void {
    const target = this.#options.targets[index]
    if (target === undefined) {
      answered(200)
      return
    }
    const { clock, random } = this.#options
    const { authority, getPercent, timeoutMs, counts } = target
    counts.calls++
    const method = getPercent === 100 || random.next() * 100 < getPercent ? 'GET' : 'POST'
    const nowMs = clock.monotonicMs()
    const over: CallOwner = {
      callOver: (call) => {
        this.#deadlines.remove(call)
        if (!isFailure(call.status)) {
          this.#ask(index + 1, answered)
          return
        }
        counts.failed++
        answered(badGateway)
      },
    }
    const call = new SimulatedCall(over, nowMs, unseen, method, authority)
    if (timeoutMs !== Infinity) this.#deadlines.add(call, nowMs + timeoutMs)
    const proxy = (this.#proxies[index] ??= this.#createProxy(target))
    proxy.serve(call)
  }

  #createProxy({ runtime, listener, counts }: OnwardTarget): SimulatedProxy {
    const { network, random, locality, spiffeId } = this.#options
    return new SimulatedProxy({
      network: { ...network, sent: () => counts.attempts++ },
      random,
      locality,
      runtime,
      listener,
      spiffeId,
      finished: ({ attempts }) => {
        for (const { outcome } of attempts) if (outcome === 'connect-failure') counts.attempts++
      },
      availabilityChanged() {},
    })
  }
}

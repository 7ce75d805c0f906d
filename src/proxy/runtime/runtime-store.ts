// From resources to the configuration in force: decodes what arrives, says what else is wanted, and swaps one immutable RuntimeConfig.
import { typeUrls } from '../../contracts/xds/names.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import type { Logger } from '../../core/logger.ts'
import { WatchableValue } from '../../core/watchable.ts'
import type { Watchable } from '../../core/watchable.ts'
import type { RejectedResource, ResourceUpdate } from '../xds-client/resource-update.ts'
import { assemble } from './assemble.ts'
import { OnDemandNames } from './on-demand.ts'
import type { NameState } from './on-demand.ts'
import { ResourceInbox, absent } from './received-resources.ts'
import { clusterNames, inlineClusterNames, routeConfigurationNames, secretNames } from './references.ts'
import type { RuntimeConfig } from './runtime-config.ts'

export interface RuntimeStoreOptions {
  readonly clock: Clock
  readonly logger: Logger
  /** How long an on-demand host is kept without a request. Default: 5 minutes. */
  readonly onDemandIdleMs?: number
}

export interface RuntimeStore {
  /** In force. Unchanged parts keep their identity from one value to the next. */
  readonly runtime: Watchable<RuntimeConfig>
  /** What to subscribe to, besides all listeners. */
  readonly wanted: Watchable<WantedResources>
  /** True once listeners have been received and nothing of the newest configuration waits for anything. */
  readonly settled: Watchable<boolean>
  /** Takes an update; returns what of it cannot be used, for the NACK. Of that the last good version stays in force. */
  apply(update: ResourceUpdate): readonly RejectedResource[]
  /**
   * Which of these route configurations, the first that exists, serves a request: its name, null when none exists, undefined when that is
   * not known yet (then `demand`). Counts as use.
   */
  lookup(candidates: readonly string[]): string | null | undefined
  /**
   * Subscribes the candidates and resolves with the name of the first, in their order, that exists, as soon as requests can be routed by it;
   * undefined when none exists. When the control plane does not answer within 5 seconds, one that is in force will do; rejects when none is.
   */
  demand(candidates: readonly string[]): Promise<string | undefined>
}

export interface WantedResources {
  readonly routeConfigurations: readonly string[]
  readonly clusters: readonly string[]
  readonly endpoints: readonly string[]
  readonly secrets: readonly string[]
}

/** A burst of updates makes one swap: after this much silence ... */
const quietMs = 5
/** ... or at the latest after this. */
const longestMs = 25

const nothing: RuntimeConfig = {
  revision: '',
  listeners: new Map(),
  routeConfigurations: new Map(),
  clusters: new Map(),
  secrets: new Map(),
}

export function createRuntimeStore(options: RuntimeStoreOptions): RuntimeStore {
  return new Store(options)
}

class Store implements RuntimeStore {
  readonly runtime = new WatchableValue<RuntimeConfig>(nothing)
  readonly wanted = new WatchableValue<WantedResources>({
    routeConfigurations: [],
    clusters: [],
    endpoints: [],
    secrets: [],
  })
  readonly settled = new WatchableValue(false)
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #inbox = new ResourceInbox()
  readonly #onDemand: OnDemandNames
  #revision = ''
  #listenersReceived = false
  #swap: { readonly timer: Timer; readonly deadlineMs: number } | undefined

  constructor({ clock, logger, onDemandIdleMs = 300_000 }: RuntimeStoreOptions) {
    this.#clock = clock
    this.#logger = logger
    this.#onDemand = new OnDemandNames(
      { clock, idleMs: onDemandIdleMs, maxNames: 1_000, timeoutMs: 5_000 },
      (name) => this.#stateOf(name),
      () => this.#updateWanted(),
    )
  }

  apply(update: ResourceUpdate): readonly RejectedResource[] {
    const rejected = this.#inbox.apply(update)
    this.#revision = update.revision
    if (update.typeUrl === typeUrls.listener) this.#listenersReceived = true
    this.#updateWanted()
    this.#onDemand.settle()
    this.#scheduleSwap()
    return rejected
  }

  lookup(candidates: readonly string[]): string | null | undefined {
    return this.#onDemand.lookup(candidates)
  }

  demand(candidates: readonly string[]): Promise<string | undefined> {
    return this.#onDemand.demand(candidates)
  }

  #stateOf(name: string): NameState {
    if (this.#inbox.routeConfigurations.get(name) === absent) return 'absent'
    return this.runtime.value.routeConfigurations.has(name) ? 'in-force' : 'pending'
  }

  /** What the newest configuration names, what the one in force still uses, and what requests asked for. */
  #updateWanted(): void {
    const { listeners: newest, routeConfigurations: newestRoutes, clusters: newestClusters } = this.#inbox
    const inForce = this.runtime.value
    const listeners = [...newest.values(), ...inForce.listeners.values()].filter((one) => one !== absent)
    const routeConfigurations = new Set([...listeners.flatMap(routeConfigurationNames), ...this.#onDemand.names])
    const clusters = new Set(listeners.flatMap(inlineClusterNames))
    const endpoints = new Set<string>()
    const secrets = new Set(listeners.flatMap(secretNames))
    for (const name of routeConfigurations) {
      for (const routes of [newestRoutes.get(name), inForce.routeConfigurations.get(name)]) {
        if (routes === undefined || routes === absent) continue
        for (const cluster of clusterNames(routes)) clusters.add(cluster)
      }
    }
    for (const name of clusters) {
      const cluster = newestClusters.get(name)
      const used = [inForce.clusters.get(name), cluster === absent ? undefined : cluster?.config]
      for (const one of used)
        if (one?.originateTls?.rootsSecret !== undefined) secrets.add(one.originateTls.rootsSecret)
      if (cluster === undefined || cluster === absent) continue
      if (cluster.endpointsName !== undefined) endpoints.add(cluster.endpointsName)
    }
    if (this.#inbox.keepOnly({ routeConfigurations, clusters, endpoints, secrets })) this.#scheduleSwap()
    const before = this.wanted.value
    this.wanted.set(
      sameNames(before.routeConfigurations, routeConfigurations) &&
        sameNames(before.clusters, clusters) &&
        sameNames(before.endpoints, endpoints) &&
        sameNames(before.secrets, secrets)
        ? before
        : {
            routeConfigurations: [...routeConfigurations],
            clusters: [...clusters],
            endpoints: [...endpoints],
            secrets: [...secrets],
          },
    )
  }

  #scheduleSwap(): void {
    const nowMs = this.#clock.monotonicMs()
    const deadlineMs = this.#swap?.deadlineMs ?? nowMs + longestMs
    this.#swap?.timer.cancel()
    const timer = this.#clock.setTimer(Math.max(0, Math.min(quietMs, deadlineMs - nowMs)), () => this.#swapNow())
    this.#swap = { timer, deadlineMs }
  }

  #swapNow(): void {
    this.#swap = undefined
    const { config, held } = assemble(this.#inbox, this.runtime.value, this.#revision)
    this.#logger.debug('configuration in force', { revision: config.revision, held })
    this.runtime.set(config)
    this.settled.set(this.#listenersReceived && held.length === 0)
    this.#updateWanted()
    this.#onDemand.settle()
  }
}

function sameNames(before: readonly string[], now: ReadonlySet<string>): boolean {
  return before.length === now.size && before.every((name) => now.has(name))
}

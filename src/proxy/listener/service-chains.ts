// What a CONNECT to a service of the mesh goes through when the service may carry anything but HTTP: the chains of dialling it.
import { forwardProxyListener, serviceListenerOf } from '../../contracts/xds/names.ts'
import type { Watchable } from '../../core/watchable.ts'
import type { FilterChainConfig, ListenerConfig, RuntimeConfig } from '../runtime/runtime-config.ts'
import { ListenerState } from './listener-state.ts'

const any = { serverNames: [], applicationProtocols: [] }
const http = { transport: 'plaintext', serverNames: [], applicationProtocols: ['http/1.1', 'h2c'] } as const

export class ServiceChains {
  readonly #runtime: Watchable<RuntimeConfig>
  readonly #states = new Map<string, ListenerState>()
  #madeOf: RuntimeConfig | undefined

  constructor(runtime: Watchable<RuntimeConfig>) {
    this.#runtime = runtime
  }

  /** `name`: "host:port". Undefined: it carries HTTP alone. */
  of(name: string): ListenerState | undefined {
    const config = this.#runtime.value
    if (config !== this.#madeOf) this.#update(config)
    const known = this.#states.get(name)
    if (known !== undefined) return known
    const chains = chainsOf(config, name)
    if (chains === undefined) return undefined
    const state = new ListenerState(chains)
    this.#states.set(name, state)
    return state
  }

  #update(config: RuntimeConfig): void {
    this.#madeOf = config
    for (const [name, state] of this.#states) {
      const chains = chainsOf(config, name)
      if (chains === undefined) this.#states.delete(name)
      else state.config = chains
    }
  }
}

/** Those of the service's own listener, where the workload has one: routes for connections are there. */
function chainsOf({ clusters, listeners }: RuntimeConfig, name: string): ListenerConfig | undefined {
  const carries = clusters.get(name)?.carries
  if (carries === undefined) return undefined
  const own = listeners.get(serviceListenerOf(name))
  if (own !== undefined) return own
  const outbound = listeners.get(forwardProxyListener)
  const manager = outbound?.filterChains[0]?.filter
  if (outbound === undefined || manager?.kind !== 'http') return undefined
  const bytes: FilterChainConfig = {
    name: 'default',
    match: { transport: 'any', ...any },
    filter: { kind: 'tcp', backends: [{ cluster: name, weight: 1 }], route: 'default' },
  }
  const requests: FilterChainConfig = {
    name: 'http',
    match: http,
    filter: { ...manager, routes: { kind: 'rds', name } },
  }
  const looked = carries === 'undeclared'
  return {
    name: serviceListenerOf(name),
    direction: 'outbound',
    host: outbound.host,
    port: outbound.port,
    inspect: { tls: looked, http: looked },
    detectTimeoutMs: undeclaredDetectMs,
    filterChains: looked ? [requests, bytes] : [bytes],
  }
}

/** As on the listeners that stand for a service. */
const undeclaredDetectMs = 5_000

// What a CONNECT to a service of the mesh goes through when the service may carry anything but HTTP: the chains of dialling it.
import { forwardProxyListener, serviceListenerOf } from '../../contracts/xds/names.ts'
import type { FilterChainConfig, ListenerConfig, RuntimeConfig } from '../runtime/runtime-config.ts'
import { ListenerState } from './listener-state.ts'

type Chained = Pick<RuntimeConfig, 'clusters' | 'listeners' | 'routeConfigurations'>

const any = { serverNames: [], applicationProtocols: [] }
const http = { transport: 'plaintext', serverNames: [], applicationProtocols: ['http/1.1', 'h2c'] } as const

export class ServiceChains {
  #config: Chained = { clusters: new Map(), listeners: new Map(), routeConfigurations: new Map() }
  readonly #states = new Map<string, ListenerState>()

  /** What is inside a CONNECT already follows, as on a listener. */
  update(config: Chained): void {
    this.#config = config
    for (const [name, state] of this.#states) {
      const chains = chainsOf(config, name)
      if (chains === undefined) this.#states.delete(name)
      else state.config = chains
    }
  }

  /** `name`: "host:port". Undefined: it carries HTTP alone. */
  of(name: string): ListenerState | undefined {
    const known = this.#states.get(name)
    if (known !== undefined) return known
    const chains = chainsOf(this.#config, name)
    if (chains === undefined) return undefined
    const state = new ListenerState(chains)
    this.#states.set(name, state)
    return state
  }
}

/** Those of the service's own listener, where the workload has one: routes for connections are there. */
function chainsOf({ clusters, listeners, routeConfigurations }: Chained, name: string): ListenerConfig | undefined {
  const own = listeners.get(serviceListenerOf(name))
  if (own !== undefined) return own.filterChains.some(({ filter }) => filter.kind === 'tcp') ? own : undefined
  const carries = clusters.get(name)?.carries
  if (carries === undefined) return undefined
  const outbound = listeners.get(forwardProxyListener)
  const manager = outbound?.filterChains[0]?.filter
  if (outbound === undefined || manager?.kind !== 'http') return undefined
  const authorization = routeConfigurations.get(name)?.virtualHosts[0]?.tunnelAuthorization
  const bytes: FilterChainConfig = {
    name: 'default',
    match: { transport: 'any', ...any },
    filter: {
      kind: 'tcp',
      backends: [{ cluster: name, weight: 1 }],
      route: 'default',
      ...(authorization === undefined ? {} : { authorization }),
    },
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

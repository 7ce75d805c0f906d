// What a connection needs of the listener that accepted it: always its newest configuration, made ready when it came.
import { type ConnectionFacts, type DetectorOptions, unknownFacts } from '../detect/detector.ts'
import type { FilterChainConfig, ListenerConfig, TcpProxyConfig } from '../runtime/runtime-config.ts'
import { createFilterChainTable, type FilterChainTable } from './filter-chain-table.ts'

interface Prepared {
  readonly config: ListenerConfig
  readonly table: FilterChainTable
  readonly inspect: DetectorOptions['inspect']
  readonly greeting: TcpProxyConfig | undefined
  readonly besideTls: boolean
}

export class ListenerState {
  #prepared: Prepared

  constructor(config: ListenerConfig) {
    this.#prepared = prepare(config)
  }

  get config(): ListenerConfig {
    return this.#prepared.config
  }

  set config(config: ListenerConfig) {
    if (config !== this.#prepared.config) this.#prepared = prepare(config)
  }

  get inspect(): DetectorOptions['inspect'] {
    return this.#prepared.inspect
  }

  /** The opaque protocol that a silent client may be waiting to be greeted in. */
  get greeting(): TcpProxyConfig | undefined {
    return this.#prepared.greeting
  }

  /** A silent client may as well be about to begin TLS. */
  get besideTls(): boolean {
    return this.#prepared.besideTls
  }

  /** The chain for what is known of a connection; undefined: nothing here serves it. */
  chainFor(facts: ConnectionFacts): FilterChainConfig | undefined {
    const { config, table, inspect } = this.#prepared
    return inspect.tls || inspect.http ? table.match(facts) : config.filterChains[0]
  }
}

function prepare(config: ListenerConfig): Prepared {
  const table = createFilterChainTable(config)
  const besideTls = config.filterChains.some(({ match }) => match.transport === 'tls')
  return { config, table, inspect: inspectionOf(config), greeting: greetingOf(table), besideTls }
}

function inspectionOf({ inspect, filterChains }: ListenerConfig): DetectorOptions['inspect'] {
  const hello = filterChains.some(({ match, tls }) => {
    const { transport, serverNames, applicationProtocols } = match
    const named = serverNames.length > 0 || applicationProtocols.length > 0
    return (named && transport !== 'plaintext') || (tls?.kind === 'terminate' && tls.secrets.length > 1)
  })
  return { ...inspect, hello }
}

function greetingOf(table: FilterChainTable): TcpProxyConfig | undefined {
  const filter = table.match(unknownFacts)?.filter
  return filter?.kind === 'tcp' ? filter : undefined
}

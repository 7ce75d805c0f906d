// What a connection needs of the listener that accepted it: always its newest configuration, made ready for use.
import { type ConnectionFacts, type DetectorOptions, unknownFacts } from '../detect/detector.ts'
import type { FilterChainConfig, ListenerConfig, TcpProxyConfig } from '../runtime/runtime-config.ts'
import { createFilterChainTable, type FilterChainTable } from './filter-chain-table.ts'

export class ListenerState {
  #config: ListenerConfig
  #table: FilterChainTable
  #inspect: DetectorOptions['inspect']

  constructor(config: ListenerConfig) {
    this.#config = config
    this.#table = createFilterChainTable(config)
    this.#inspect = inspectionOf(config)
  }

  get config(): ListenerConfig {
    return this.#config
  }

  set config(config: ListenerConfig) {
    if (config === this.#config) return
    this.#config = config
    this.#table = createFilterChainTable(config)
    this.#inspect = inspectionOf(config)
  }

  get inspect(): DetectorOptions['inspect'] {
    return this.#inspect
  }

  /** The chain for what is known of a connection; undefined: nothing here serves it. */
  chainFor(facts: ConnectionFacts): FilterChainConfig | undefined {
    const { tls, http } = this.#inspect
    return tls || http ? this.#table.match(facts) : this.#config.filterChains[0]
  }

  /**
   * The opaque protocol that a silent client may be waiting to be greeted in. Not beside chains for TLS: a greeting could then overtake the
   * ClientHello and be sent to a client that expects TLS.
   */
  get greeting(): TcpProxyConfig | undefined {
    const { filterChains } = this.#config
    if (filterChains.some(({ match }) => match.transport === 'tls')) return undefined
    const filter = this.chainFor(unknownFacts)?.filter
    return filter?.kind === 'tcp' ? filter : undefined
  }
}

function inspectionOf({ inspect, filterChains }: ListenerConfig): DetectorOptions['inspect'] {
  const hello = filterChains.some(({ match, tls }) => {
    const { transport, serverNames, applicationProtocols } = match
    const named = serverNames.length > 0 || applicationProtocols.length > 0
    return (named && transport !== 'plaintext') || (tls?.kind === 'terminate' && tls.secrets.length > 1)
  })
  return { ...inspect, hello }
}

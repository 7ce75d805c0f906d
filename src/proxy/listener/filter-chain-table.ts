// Chooses a listener's filter chain for a connection: made when the configuration comes, asked for each connection.
// The order is that of Envoy's FilterChainMatch: server names, then transport, then application protocols. What is more specific in server
// names decides alone; nothing less specific is tried when the rest does not fit.
import type { ConnectionFacts } from '../detect/detector.ts'
import type { FilterChainConfig, ListenerConfig } from '../runtime/runtime-config.ts'

export interface FilterChainTable {
  /** Undefined: nothing here serves it. */
  match(facts: ConnectionFacts): FilterChainConfig | undefined
}

interface ProtocolTable {
  readonly named: Map<string, FilterChainConfig>
  rest: FilterChainConfig | undefined
}

type TransportTable = Partial<Record<FilterChainConfig['match']['transport'], ProtocolTable>>

/** Of chains that match the same, the first counts. */
export function createFilterChainTable({ filterChains }: Pick<ListenerConfig, 'filterChains'>): FilterChainTable {
  const exact = new Map<string, TransportTable>()
  /** By ".suffix". */
  const suffixes = new Map<string, TransportTable>()
  const rest: TransportTable = {}
  for (const chain of filterChains) {
    const { serverNames } = chain.match
    if (serverNames.length === 0) enter(rest, chain)
    for (const name of serverNames) {
      if (name.startsWith('*.')) enter(tableOf(suffixes, name.slice(1)), chain)
      else enter(tableOf(exact, name), chain)
    }
  }
  const named = (serverName: string): TransportTable => {
    const table = exact.get(serverName)
    if (table !== undefined || suffixes.size === 0) return table ?? rest
    for (let dot = serverName.indexOf('.'); dot !== -1; dot = serverName.indexOf('.', dot + 1)) {
      const longest = suffixes.get(serverName.slice(dot))
      if (longest !== undefined) return longest
    }
    return rest
  }
  return {
    match({ transport, serverName, applicationProtocols }) {
      const table = serverName === undefined ? rest : named(serverName)
      return fit(table[transport], applicationProtocols) ?? fit(table.any, applicationProtocols)
    },
  }
}

function enter(table: TransportTable, chain: FilterChainConfig): void {
  const { transport, applicationProtocols } = chain.match
  const protocols = (table[transport] ??= { named: new Map(), rest: undefined })
  if (applicationProtocols.length === 0) protocols.rest ??= chain
  for (const protocol of applicationProtocols) {
    if (!protocols.named.has(protocol)) protocols.named.set(protocol, chain)
  }
}

function tableOf(tables: Map<string, TransportTable>, name: string): TransportTable {
  let table = tables.get(name)
  if (table === undefined) tables.set(name, (table = {}))
  return table
}

function fit(table: ProtocolTable | undefined, offered: readonly string[]): FilterChainConfig | undefined {
  if (table === undefined) return undefined
  if (table.named.size > 0) {
    for (const protocol of offered) {
      const chain = table.named.get(protocol)
      if (chain !== undefined) return chain
    }
  }
  return table.rest
}

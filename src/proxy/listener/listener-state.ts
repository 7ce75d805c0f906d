// What a connection needs of the listener that accepted it: always its newest configuration.
import type { FilterChainConfig, ListenerConfig } from '../runtime/runtime-config.ts'

export interface ListenerState {
  config: ListenerConfig
}

/** The chain for what was detected; undefined: nothing here serves it. */
export function chainFor(
  listener: ListenerState,
  transport: FilterChainConfig['match']['transport'],
): FilterChainConfig | undefined {
  return listener.config.filterChains.find(({ match }) => match.transport === transport)
}

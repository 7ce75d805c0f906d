// The route step: a route configuration prepared once per change, asked once per request.
import { errorMessage } from '../../core/errors.ts'
import type { MatchInput } from '../../policies/route-match/route-match.runtime.ts'
import type { RouteConfiguration, VirtualHost } from '../runtime/runtime-config.ts'
import { type CompiledRoute, compileRoute } from './compiled-route.ts'
import { RouteList } from './route-list.ts'
import { VirtualHostTable } from './virtual-host-table.ts'

export interface CompiledVirtualHost {
  readonly virtualHost: VirtualHost
  /** The first route that matches. */
  findRoute(input: MatchInput): CompiledRoute | undefined
}

export interface CompiledRouteConfiguration {
  readonly config: RouteConfiguration
  findVirtualHost(authority: string): CompiledVirtualHost | undefined
}

const compiled = new WeakMap<RouteConfiguration, CompiledRouteConfiguration>()

/**
 * Once per object, which is when it arrives: requests find it done. Throws an Error that names virtual host and route when a part cannot be
 * compiled: such a configuration is refused whole (NACK).
 */
export function compileRouteConfiguration(config: RouteConfiguration): CompiledRouteConfiguration {
  const known = compiled.get(config)
  if (known !== undefined) return known
  const table = new VirtualHostTable(config.virtualHosts, compileVirtualHost)
  const made: CompiledRouteConfiguration = { config, findVirtualHost: (authority) => table.find(authority) }
  compiled.set(config, made)
  return made
}

function compileVirtualHost(virtualHost: VirtualHost): CompiledVirtualHost {
  const routes = new RouteList(
    virtualHost.routes.map((route) => {
      try {
        return compileRoute(route)
      } catch (error) {
        throw new Error(`virtual host "${virtualHost.name}", route "${route.name}": ${errorMessage(error)}`, {
          cause: error,
        })
      }
    }),
  )
  return { virtualHost, findRoute: (input) => routes.find(input) }
}

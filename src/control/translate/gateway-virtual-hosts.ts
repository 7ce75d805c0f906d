// The virtual hosts of one port of a Gateway, over all its listeners there.
import type { MeshGateway, MeshRoute } from '../snapshot/mesh-snapshot.ts'

export interface GatewayVirtualHost {
  readonly hostname: string
  readonly routes: readonly MeshRoute[]
}

/**
 * A request belongs to the listener with the most specific hostname (Gateway API, Listener.hostname): of two listeners that speak for one
 * hostname that one wins, and what it has no route for is not served by a less specific one.
 */
export function gatewayVirtualHosts(gateway: MeshGateway, port: number): GatewayVirtualHost[] {
  const listeners = gateway.listeners
    .filter((listener) => listener.port === port)
    .toSorted((a, b) => specificity(b.hostname) - specificity(a.hostname))
  const byHostname = new Map<string, GatewayVirtualHost>()
  for (const { hostname: own = '*', virtualHosts } of listeners) {
    for (const virtualHost of [...virtualHosts, { hostname: own, routes: [] }]) {
      if (!byHostname.has(virtualHost.hostname)) byHostname.set(virtualHost.hostname, virtualHost)
    }
  }
  return [...byHostname.values()]
    .map(({ hostname, routes }) => ({ hostname, routes: routes.map((route) => withListenerPort(route, port)) }))
    .toSorted((a, b) => (a.hostname < b.hostname ? -1 : 1))
}

/** A redirect without scheme and port leads to the listener's port, whatever the request's Host says (HTTPRequestRedirectFilter.port). */
export function withListenerPort(route: MeshRoute, port: number): MeshRoute {
  const { action } = route
  if (action.kind !== 'redirect' || action.redirect.scheme !== undefined || action.redirect.port !== undefined)
    return route
  return { ...route, action: { kind: 'redirect', redirect: { ...action.redirect, port } } }
}

/** Exact names before "*.suffix", longer before shorter, none at last. */
function specificity(hostname: string | undefined): number {
  if (hostname === undefined) return 0
  return hostname.startsWith('*') ? hostname.length : 1000 + hostname.length
}

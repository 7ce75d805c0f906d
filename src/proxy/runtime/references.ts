// What of the configuration names what: listeners name route configurations, routes name clusters.
import type { ListenerConfig, RouteConfiguration } from './runtime-config.ts'

/** Route configurations that a listener takes by name. */
export function routeConfigurationNames({ filterChains }: ListenerConfig): string[] {
  return filterChains.flatMap(({ http: { routes } }) => (routes.kind === 'rds' ? [routes.name] : []))
}

/** Clusters of the routes that a listener holds itself. */
export function inlineClusterNames({ filterChains }: ListenerConfig): string[] {
  return filterChains.flatMap(({ http: { routes } }) =>
    routes.kind === 'inline' ? clusterNames(routes.routeConfiguration) : [],
  )
}

/** Without '', which stands for a backend that does not exist. */
export function clusterNames({ virtualHosts }: RouteConfiguration): string[] {
  const names = new Set<string>()
  for (const { routes } of virtualHosts) {
    for (const { action } of routes) {
      if (action.kind !== 'forward') continue
      for (const { cluster } of action.backends) names.add(cluster)
      for (const { cluster } of action.mirrors) names.add(cluster)
    }
  }
  names.delete('')
  return [...names]
}

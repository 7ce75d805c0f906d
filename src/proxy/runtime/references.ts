// What of the configuration names what: listeners name route configurations, routes name clusters.
import type { ListenerConfig, RouteConfiguration } from './runtime-config.ts'

/** Route configurations that a listener takes by name. */
export function routeConfigurationNames({ filterChains }: ListenerConfig): string[] {
  return filterChains.flatMap(({ filter }) =>
    filter.kind === 'http' && filter.routes.kind === 'rds' ? [filter.routes.name] : [],
  )
}

/** Clusters that a listener names itself: of routes that it holds, of TCP proxies, and of servers that are asked. */
export function inlineClusterNames({ filterChains, metricsExport }: ListenerConfig): string[] {
  const told = metricsExport?.collector === undefined ? [] : [metricsExport.collector.cluster]
  const named = filterChains.flatMap(({ filter }) => {
    if (filter.kind === 'tcp') return filter.backends.flatMap(({ cluster }) => (cluster === '' ? [] : [cluster]))
    const asked = (filter.filters ?? []).flatMap((one) => {
      if (one.kind === 'external-authorization') return [one.spec.service.cluster]
      return one.kind === 'global-rate-limit' ? [one.spec.server.cluster] : []
    })
    if (filter.accessLog?.output?.kind === 'collector') asked.push(filter.accessLog.output.collector.cluster)
    if (filter.tracing !== undefined) asked.push(filter.tracing.collector.cluster)
    return filter.routes.kind === 'inline' ? [...clusterNames(filter.routes.routeConfiguration), ...asked] : asked
  })
  return [...named, ...told]
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

/** Certificates that a listener shows. */
export function secretNames({ filterChains }: ListenerConfig): string[] {
  return filterChains.flatMap(({ tls }) => (tls?.kind === 'terminate' ? tls.secrets : []))
}

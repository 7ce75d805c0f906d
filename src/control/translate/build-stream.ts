// MeshStream → a filter chain that carries bytes (Envoy's TCP proxy).
import type { MessageInitShape } from '@bufbuild/protobuf'

import type { FilterChainSchema } from '../../contracts/xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import { TcpProxySchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts'
import { hostPort, noCluster } from '../../contracts/xds/names.ts'
import { typedConfig } from '../../policies/typed-config.xds.ts'
import type { MeshStream } from '../snapshot/mesh-snapshot.ts'
import { encodeSource } from './build-route.ts'
import type { CallerEgress } from './egress-security.ts'
import type { ListenerSecurity } from './listener-security.ts'

export type FilterChainInit = Extract<MessageInitShape<typeof FilterChainSchema>, { readonly $typeName?: never }>
type ClusterSpecifier = NonNullable<MessageInitShape<typeof TcpProxySchema>['clusterSpecifier']>

/** Matches by SNI where the stream has hostnames, and else takes what no other chain does. */
export function streamChain(stream: MeshStream, egress: CallerEgress): FilterChainInit {
  const { name, hostnames, source, backends } = stream
  const clusters = backends.map(({ host, port, weight }) => ({
    name: host === undefined ? noCluster : hostPort(host, port),
    weight,
  }))
  return behind(egress.network(backends), bytesChain(name, hostnames, clusters, encodeSource(source)))
}

/** To the application behind a sidecar. */
export function inboundStream(cluster: string, source: MeshStream['source']): Omit<FilterChainInit, 'name'> {
  return bytesChain('default', [], [{ name: cluster, weight: 1 }], encodeSource(source))
}

/** What the chain carries passes these filters first. */
export function behind<Chain extends Pick<FilterChainInit, 'filters'>>(
  filters: ListenerSecurity['network'],
  chain: Chain,
): Chain {
  return filters.length === 0 ? chain : { ...chain, filters: [...filters, ...(chain.filters ?? [])] }
}

/** Closes what comes for these names. */
export function closingChain(name: string, hostnames: readonly string[]): FilterChainInit {
  return bytesChain(name, hostnames, [], undefined)
}

/** The prefix of the statistics tells the proxy, too, which route it is: chains of one route may be several. */
function bytesChain(
  name: string,
  hostnames: readonly string[],
  clusters: readonly { readonly name: string; readonly weight: number }[],
  metadata: FilterChainInit['metadata'] | undefined,
): FilterChainInit {
  const proxy = typedConfig(TcpProxySchema, { statPrefix: name, clusterSpecifier: clusterSpecifier(clusters) })
  return {
    name,
    ...(hostnames.length === 0
      ? {}
      : { filterChainMatch: { transportProtocol: 'tls', serverNames: serverNames(hostnames) } }),
    filters: [{ name: 'envoy.filters.network.tcp_proxy', configType: { case: 'typedConfig', value: proxy } }],
    ...(metadata === undefined ? {} : { metadata }),
  }
}

function clusterSpecifier(clusters: readonly { readonly name: string; readonly weight: number }[]): ClusterSpecifier {
  const weighted = clusters.filter(({ weight }) => weight > 0)
  const [first, ...others] = weighted
  if (first === undefined) return { case: 'cluster', value: noCluster }
  if (others.length === 0) return { case: 'cluster', value: first.name }
  return { case: 'weightedClusters', value: { clusters: weighted } }
}

/** "*" stands for any name, which a match says by naming none. */
export function serverNames(hostnames: readonly string[]): string[] {
  return hostnames.includes('*') ? [] : [...hostnames]
}

// TcpProxy → TcpProxyConfig. Where it was written stands in the metadata of its chain.
import type { FilterChain } from '../../contracts/xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import type { TcpProxy } from '../../contracts/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts'
import { metadataKey, noCluster } from '../../contracts/xds/names.ts'
import { decodeSource } from './decode-route.ts'
import type { TcpProxyConfig } from './runtime-config.ts'

/** Throws an Error that says what cannot be served. */
export function decodeTcpProxy({ clusterSpecifier, statPrefix }: TcpProxy, chain: FilterChain): TcpProxyConfig {
  const source = decodeSource(chain.metadata?.typedFilterMetadata[metadataKey])
  return {
    kind: 'tcp',
    backends: decodeClusters(clusterSpecifier).map(({ cluster, weight }) => ({
      cluster: cluster === noCluster ? '' : cluster,
      weight,
    })),
    route: statPrefix,
    ...(source === undefined ? {} : { source }),
  }
}

function decodeClusters(specifier: TcpProxy['clusterSpecifier']): { cluster: string; weight: number }[] {
  if (specifier.case === 'cluster') return [{ cluster: specifier.value, weight: 1 }]
  if (specifier.case === 'weightedClusters' && specifier.value.clusters.length > 0)
    return specifier.value.clusters.map(({ name, weight }) => ({ cluster: name, weight }))
  throw new Error('TCP proxy: expected cluster or weighted_clusters')
}

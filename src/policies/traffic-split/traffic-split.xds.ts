// The backends of a route ↔ envoy.config.route.v3.RouteAction.cluster and WeightedCluster.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type {
  RouteAction,
  RouteActionSchema,
  WeightedCluster_ClusterWeight,
} from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type { RbacFilterSpec } from '../authorization/authorization.spec.ts'
import { decodeEgress, egressFilterNames, encodeEgress } from '../authorization/egress.xds.ts'
import type { FaultsSpec } from '../faults/faults.spec.ts'
import { decodeFaults, encodeFaults, faultFilterNames } from '../faults/faults.xds.ts'
import type { HeaderModifierSpec } from '../header-modifier/header-modifier.spec.ts'
import { decodeHeaderModifier, encodeHeaderModifier } from '../header-modifier/header-modifier.xds.ts'
import type { SubsetKeySpec } from '../load-balancing/load-balancing.spec.ts'
import { decodeSubsetKeys, encodeSubsetKeys, headerToMetadataFilter } from '../load-balancing/subsets.xds.ts'
import type { WeightedSpec } from './traffic-split.spec.ts'

/** A cluster with its share; '' is a backend that does not exist, whose share is answered with 500. */
export interface WeightedClusterSpec extends WeightedSpec {
  readonly cluster: string
  readonly requestHeaders?: HeaderModifierSpec
  readonly responseHeaders?: HeaderModifierSpec
  /** What is decided about each request that goes there. */
  readonly authorization?: readonly RbacFilterSpec[]
  readonly faults?: FaultsSpec
  readonly subsetKeys?: readonly SubsetKeySpec[]
}

/** What stands for '' on the wire: no name may be empty there, and no service can have this one. */
const invalidCluster = 'invalid'

type ClusterSpecifierInit = NonNullable<MessageInitShape<typeof RouteActionSchema>['clusterSpecifier']>

/** The weights must not all be 0: Envoy refuses that. */
export function encodeTrafficSplit(backends: readonly WeightedClusterSpec[]): ClusterSpecifierInit {
  const [first] = backends
  if (first !== undefined && backends.length === 1 && isPlain(first)) {
    return { case: 'cluster', value: first.cluster === '' ? invalidCluster : first.cluster }
  }
  const clusters = backends.map((backend) => {
    const request = encodeHeaderModifier(backend.requestHeaders)
    const response = encodeHeaderModifier(backend.responseHeaders)
    return {
      name: backend.cluster === '' ? invalidCluster : backend.cluster,
      weight: backend.weight,
      requestHeadersToAdd: request.add,
      requestHeadersToRemove: request.remove,
      responseHeadersToAdd: response.add,
      responseHeadersToRemove: response.remove,
      typedPerFilterConfig: {
        ...encodeEgress(backend.authorization ?? []),
        ...encodeFaults(backend.faults),
        ...encodeSubsetKeys(backend.subsetKeys),
      },
    }
  })
  return { case: 'weightedClusters', value: { clusters } }
}

const knownFilters: readonly string[] = [...egressFilterNames, ...faultFilterNames, headerToMetadataFilter]

function isPlain(backend: WeightedClusterSpec): boolean {
  const { weight, requestHeaders, responseHeaders, authorization, faults, subsetKeys } = backend
  const says = requestHeaders ?? responseHeaders ?? authorization ?? faults ?? subsetKeys
  return weight === 1 && says === undefined
}

/** Throws an Error that says what cannot be served. */
export function decodeTrafficSplit({ clusterSpecifier: specifier }: RouteAction): WeightedClusterSpec[] {
  if (specifier.case === 'cluster') return [{ cluster: decodeName(specifier.value), weight: 1 }]
  if (specifier.case !== 'weightedClusters') {
    throw new Error(`expected cluster or weighted_clusters, got ${specifier.case ?? 'none'}`)
  }
  const backends = specifier.value.clusters.map(decodeWeightedCluster)
  if (!backends.some(({ weight }) => weight > 0)) throw new Error('weighted_clusters: no weight is above 0')
  return backends
}

function decodeWeightedCluster(cluster: WeightedCluster_ClusterWeight): WeightedClusterSpec {
  if (cluster.clusterHeader !== '') throw new Error('weighted_clusters: cluster_header is not supported')
  if (cluster.hostRewriteSpecifier.case !== undefined) {
    throw new Error(`weighted_clusters: ${cluster.hostRewriteSpecifier.case} is not supported`)
  }
  const foreign = Object.keys(cluster.typedPerFilterConfig).find((name) => !knownFilters.includes(name))
  if (foreign !== undefined) throw new Error(`weighted_clusters: typed_per_filter_config "${foreign}" is not supported`)
  const authorization = decodeEgress(cluster.typedPerFilterConfig)
  const requestHeaders = decodeHeaderModifier(cluster.requestHeadersToAdd, cluster.requestHeadersToRemove)
  const responseHeaders = decodeHeaderModifier(cluster.responseHeadersToAdd, cluster.responseHeadersToRemove)
  const faults = decodeFaults(cluster.typedPerFilterConfig)
  const subsetKeys = decodeSubsetKeys(cluster.typedPerFilterConfig)
  return {
    cluster: decodeName(cluster.name),
    weight: cluster.weight ?? 0,
    ...(requestHeaders === undefined ? {} : { requestHeaders }),
    ...(responseHeaders === undefined ? {} : { responseHeaders }),
    ...(authorization === undefined ? {} : { authorization }),
    ...(faults === undefined ? {} : { faults }),
    ...(subsetKeys === undefined ? {} : { subsetKeys }),
  }
}

function decodeName(name: string): string {
  if (name === '') throw new Error('the name of a cluster is empty')
  return name === invalidCluster ? '' : name
}

// Cluster → ClusterConfig. Endpoints that come by EDS are filled in later.
import {
  ClusterSchema,
  Cluster_DiscoveryType as Discovery,
} from '../../contracts/xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { Cluster } from '../../contracts/xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { metadataKey } from '../../contracts/xds/names.ts'
import { decodeAdaptiveConcurrency } from '../../policies/adaptive-concurrency/adaptive-concurrency.xds.ts'
import { decodeCallerLimits } from '../../policies/circuit-breaker/caller-limits.xds.ts'
import { decodeCircuitBreaker } from '../../policies/circuit-breaker/circuit-breaker.xds.ts'
import { decodeHealthChecks } from '../../policies/health-checks/health-checks.xds.ts'
import { decodeHedging } from '../../policies/hedging/hedging.xds.ts'
import { decodeHttpProtocol, decodeKeepAlive } from '../../policies/http-protocol/http-protocol.xds.ts'
import { decodeLoadBalancing } from '../../policies/load-balancing/load-balancing.xds.ts'
import { decodeOutlierDetection } from '../../policies/outlier-detection/outlier-detection.xds.ts'
import { decodeUpstreamTls } from '../../policies/peer-authentication/upstream-tls.xds.ts'
import { decodeRetryConstraint } from '../../policies/retries/retries.xds.ts'
import { decodeRouteDefaults } from '../../policies/route-defaults.xds.ts'
import { decodeDuration } from '../../policies/scalars.xds.ts'
import { decodeLoadAssignment } from './decode-endpoints.ts'
import { decodeOriginateTls } from './decode-transport.ts'
import { parseResource } from './parse-resource.ts'
import type { ClusterConfig } from './runtime-config.ts'

/** Envoy's, for a cluster that says nothing. */
const defaultConnectTimeoutMs = 5_000

/** Throws an Error that says what cannot be served. */
export function decodeClusterResource(body: Uint8Array): DecodedCluster {
  const cluster = parseResource(ClusterSchema, body)
  const discovery = decodeDiscovery(cluster)
  const tls = decodeUpstreamTls(cluster)
  const outlierDetection = decodeOutlierDetection(cluster.outlierDetection)
  const healthCheck = decodeHealthChecks(cluster.healthChecks)
  const routeDefaults = decodeRouteDefaults(cluster.metadata)
  const hedging = decodeHedging(cluster.metadata)
  const keepAlive = decodeKeepAlive(cluster)
  const adaptiveConcurrency = decodeAdaptiveConcurrency(cluster.metadata)
  const callerLimits = decodeCallerLimits(cluster.metadata)
  const own = cluster.metadata?.filterMetadata[metadataKey]
  const namespace = own?.['namespace']
  const name = own?.['name']
  const carries = own?.['carries']
  const config: ClusterConfig = {
    name: cluster.name,
    ...(typeof namespace === 'string' && typeof name === 'string' ? { service: { namespace, name } } : {}),
    ...(carries === 'bytes' || carries === 'undeclared' ? { carries } : {}),
    connectTimeoutMs:
      cluster.connectTimeout === undefined
        ? defaultConnectTimeoutMs
        : decodeDuration(cluster.connectTimeout, 'connect_timeout'),
    loadBalancing: decodeLoadBalancing(cluster),
    circuitBreaker: decodeCircuitBreaker(cluster.circuitBreakers),
    ...(callerLimits === undefined ? {} : { callerLimits }),
    ...(adaptiveConcurrency === undefined ? {} : { adaptiveConcurrency }),
    ...(outlierDetection === undefined ? {} : { outlierDetection }),
    ...(healthCheck === undefined ? {} : { healthCheck }),
    retryConstraint: decodeRetryConstraint(cluster.metadata, cluster.circuitBreakers),
    ...(hedging === undefined ? {} : { hedging }),
    ...(routeDefaults === undefined ? {} : { routeDefaults }),
    httpProtocol: decodeHttpProtocol(cluster),
    ...(keepAlive === undefined ? {} : { keepAlive }),
    ...decodeOriginateTls(cluster),
    peerSpiffeIds: tls.peerSpiffeIds,
    peerAlpn: tls.alpn,
    discovery,
    endpoints: cluster.loadAssignment === undefined ? [] : decodeLoadAssignment(cluster.loadAssignment),
  }
  if (discovery !== 'eds') return { config }
  const serviceName = cluster.edsClusterConfig?.serviceName ?? ''
  return { config, endpointsName: serviceName === '' ? cluster.name : serviceName }
}

export interface DecodedCluster {
  readonly config: ClusterConfig
  /** Name of the load assignment that holds its endpoints; absent when they are in `config`. */
  readonly endpointsName?: string
}

function decodeDiscovery({ clusterDiscoveryType: discovery }: Cluster): ClusterConfig['discovery'] {
  if (discovery.case === 'type') {
    if (discovery.value === Discovery.EDS) return 'eds'
    if (discovery.value === Discovery.STATIC) return 'static'
    if (discovery.value === Discovery.STRICT_DNS || discovery.value === Discovery.LOGICAL_DNS) return 'dns'
  }
  throw new Error('discovery type: expected EDS, STATIC, STRICT_DNS or LOGICAL_DNS')
}

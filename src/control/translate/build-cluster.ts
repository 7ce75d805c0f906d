// MeshServicePort → Envoy cluster and its endpoints; an application port → the static cluster behind its sidecar.
import type { JsonObject, MessageInitShape } from '@bufbuild/protobuf'

import type { Locality } from '../../contracts/locality.ts'
import { Cluster_DiscoveryType as Discovery } from '../../contracts/xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { ClusterSchema } from '../../contracts/xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { HealthStatus } from '../../contracts/xds/gen/envoy/config/core/v3/health_check_pb.ts'
import type { LbEndpointSchema } from '../../contracts/xds/gen/envoy/config/endpoint/v3/endpoint_components_pb.ts'
import type { ClusterLoadAssignmentSchema } from '../../contracts/xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { metadataKey } from '../../contracts/xds/names.ts'
import { encodeAdaptiveConcurrency } from '../../policies/adaptive-concurrency/adaptive-concurrency.xds.ts'
import type { BackendTlsSpec } from '../../policies/backend-tls/backend-tls.spec.ts'
import { encodeBackendTls } from '../../policies/backend-tls/backend-tls.xds.ts'
import { encodeCallerLimits } from '../../policies/circuit-breaker/caller-limits.xds.ts'
import { defaultCircuitBreaker } from '../../policies/circuit-breaker/circuit-breaker.schema.ts'
import { encodeCircuitBreaker } from '../../policies/circuit-breaker/circuit-breaker.xds.ts'
import { encodeHealthChecks, notAsked } from '../../policies/health-checks/health-checks.xds.ts'
import { defaultHedging } from '../../policies/hedging/hedging.schema.ts'
import { encodeHedging } from '../../policies/hedging/hedging.xds.ts'
import type { HttpProtocol } from '../../policies/http-protocol/http-protocol.spec.ts'
import { encodeHttpProtocol } from '../../policies/http-protocol/http-protocol.xds.ts'
import { defaultLoadBalancing } from '../../policies/load-balancing/load-balancing.schema.ts'
import { encodeLoadBalancing } from '../../policies/load-balancing/load-balancing.xds.ts'
import { encodeEndpointLabels } from '../../policies/load-balancing/subsets.xds.ts'
import { defaultOutlierDetection } from '../../policies/outlier-detection/outlier-detection.schema.ts'
import { encodeOutlierDetection } from '../../policies/outlier-detection/outlier-detection.xds.ts'
import { adsConfigSource, meshAlpn, plainAlpn } from '../../policies/peer-authentication/own-secrets.xds.ts'
import { encodeEndpointTls, encodeUpstreamTls } from '../../policies/peer-authentication/upstream-tls.xds.ts'
import { defaultRetryConstraint } from '../../policies/retries/retries.schema.ts'
import { encodeRetryBudget, encodeRetryConstraint } from '../../policies/retries/retries.xds.ts'
import { encodeRouteDefaults } from '../../policies/route-defaults.xds.ts'
import { encodeDuration } from '../../policies/scalars.xds.ts'
import type { MeshServicePort, MeshSettings, MeshTraffic, PortProtocol } from '../snapshot/mesh-snapshot.ts'
import { socketAddress } from './addresses.ts'
import type { SocketAddress } from './addresses.ts'
import { weightsOfLocalities } from './locality-weights.ts'
import type { WorkloadTraffic } from './workload-traffic.ts'

export type ClusterInit = MessageInitShape<typeof ClusterSchema>
export type LoadAssignmentInit = MessageInitShape<typeof ClusterLoadAssignmentSchema>

/** An endpoint with its address resolved. */
export interface ResolvedEndpoint extends SocketAddress {
  readonly weight: number
  /** Behind a sidecar that takes mutual TLS. */
  readonly tls: boolean
  /** False: not by callers' health checks. */
  readonly asked?: false
  /** Only for what is bound to it. */
  readonly draining?: true
  readonly locality?: Locality
  /** By which requests may choose it. */
  readonly labels?: Readonly<Record<string, string>>
  readonly workload?: { readonly namespace: string; readonly name: string }
}

const defaultConnectTimeoutMs = 1_000

export interface ServiceClusterOptions {
  readonly name: string
  readonly service: { readonly namespace: string; readonly name: string }
  readonly peerSpiffeIds: readonly string[]
  readonly protocol: PortProtocol
  readonly h2UpgradePolicy: MeshSettings['h2UpgradePolicy']
  /** TLS towards endpoints outside the mesh. */
  readonly originateTls?: BackendTlsSpec
  readonly traffic?: MeshTraffic
  /** Hosts to look up by DNS; absent: endpoints come by EDS. */
  readonly dnsEndpoints?: readonly ResolvedEndpoint[]
}

export function serviceCluster(options: ServiceClusterOptions): ClusterInit {
  const { name, service, peerSpiffeIds, protocol, h2UpgradePolicy, originateTls, traffic, dnsEndpoints } = options
  const alpn = h2UpgradePolicy === 'UPGRADE' ? meshAlpn : plainAlpn
  const discovery =
    dnsEndpoints === undefined
      ? { type: Discovery.EDS, edsClusterConfig: { edsConfig: adsConfigSource } }
      : { type: Discovery.STRICT_DNS, loadAssignment: loadAssignment(name, dnsEndpoints, traffic) }
  const { type, ...details } = discovery
  const { hedging = defaultHedging, retryConstraint = defaultRetryConstraint } = traffic ?? {}
  return {
    ...clusterBase(name, declared(protocol) ?? 'http1', traffic),
    healthChecks: encodeHealthChecks(traffic?.healthCheck, declared(protocol) ?? 'http1'),
    outlierDetection: encodeOutlierDetection(traffic?.outlierDetection ?? defaultOutlierDetection),
    clusterDiscoveryType: { case: 'type', value: type },
    ...details,
    transportSocketMatches: encodeUpstreamTls(peerSpiffeIds, alpn),
    ...encodeBackendTls(originateTls),
    metadata: {
      filterMetadata: { [metadataKey]: { namespace: service.namespace, name: service.name, ...carries(protocol) } },
      typedFilterMetadata: {
        ...encodeHedging(hedging === 'off' ? undefined : hedging),
        ...encodeRetryConstraint(retryConstraint),
        ...encodeRouteDefaults(traffic ?? {}),
      },
    },
  }
}

export function inboundCluster(
  name: string,
  application: SocketAddress,
  protocol: PortProtocol,
  { adaptiveConcurrency, callerLimits, idleMs }: WorkloadTraffic = {},
): ClusterInit {
  const typedFilterMetadata = {
    ...(adaptiveConcurrency === undefined ? {} : encodeAdaptiveConcurrency(adaptiveConcurrency)),
    ...(callerLimits === undefined ? {} : encodeCallerLimits(callerLimits)),
    ...(idleMs === undefined ? {} : encodeRouteDefaults({ timeouts: { idleMs } })),
  }
  return {
    // callers of a port that nobody has declared know what it speaks
    ...clusterBase(name, declared(protocol) ?? 'downstream'),
    clusterDiscoveryType: { case: 'type', value: Discovery.STATIC },
    loadAssignment: loadAssignment(name, [{ ...application, weight: 1, tls: false }]),
    ...(Object.keys(typedFilterMetadata).length === 0 ? {} : { metadata: { typedFilterMetadata } }),
  }
}

/** For CONNECT, where the proxy has no listener that would say it. */
function carries(protocol: PortProtocol): JsonObject {
  if (protocol === 'auto') return { carries: 'undeclared' }
  return protocol === 'tcp' || protocol === 'tls' ? { carries: 'bytes' } : {}
}

function declared(protocol: PortProtocol): HttpProtocol | undefined {
  if (protocol === 'auto') return undefined
  return protocol === 'http2' || protocol === 'grpc' ? 'http2' : 'http1'
}

function clusterBase(name: string, protocol: HttpProtocol, traffic: MeshTraffic = {}) {
  const { connectTimeoutMs = defaultConnectTimeoutMs, loadBalancing = defaultLoadBalancing } = traffic
  return {
    name,
    typedExtensionProtocolOptions: encodeHttpProtocol(protocol),
    connectTimeout: encodeDuration(connectTimeoutMs),
    ...encodeLoadBalancing(loadBalancing),
    circuitBreakers: encodeCircuitBreaker(
      traffic.circuitBreaker ?? defaultCircuitBreaker,
      encodeRetryBudget(traffic.retryConstraint ?? defaultRetryConstraint),
    ),
  }
}

/** Endpoints of weight 0 get no traffic and are left out. */
export function loadAssignment(
  name: string,
  endpoints: readonly ResolvedEndpoint[],
  { localityWeights }: MeshTraffic = {},
): LoadAssignmentInit {
  const serving = endpoints.filter(({ weight }) => weight > 0)
  const byLocality = Map.groupBy(serving, ({ locality }) => JSON.stringify(locality ?? noLocality))
  const groups = [...byLocality].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, members]) => members)
  const weights = localityWeights === undefined ? defaultWeights(groups) : weightsOfLocalities(groups, localityWeights)
  return {
    clusterName: name,
    endpoints: groups.map((members, i) => ({
      locality: members[0]?.locality ?? {},
      // Envoy knows no weight of 0, but none
      ...(weights[i] === 0 ? {} : { loadBalancingWeight: weights[i] as number }),
      lbEndpoints: members.map(lbEndpoint),
    })),
  }
}

/** gRPC clients pass over a locality that has no name or no weight, and spread by the weights of localities first. */
function defaultWeights(groups: readonly (readonly ResolvedEndpoint[])[]): number[] {
  if (groups.length === 1) return [1]
  return groups.map((members) => members.reduce((sum, { weight }) => sum + weight, 0))
}

const noLocality: Locality = { region: '', zone: '', subZone: '' }

function lbEndpoint(endpoint: ResolvedEndpoint): MessageInitShape<typeof LbEndpointSchema> {
  const { workload } = endpoint
  const check = endpoint.asked === false ? { healthCheckConfig: notAsked } : {}
  const own: Record<string, JsonObject> =
    workload === undefined ? {} : { [metadataKey]: { namespace: workload.namespace, workload: workload.name } }
  return {
    hostIdentifier: { case: 'endpoint', value: { address: socketAddress(endpoint), ...check } },
    ...(endpoint.draining === undefined ? {} : { healthStatus: HealthStatus.DRAINING }),
    loadBalancingWeight: endpoint.weight,
    metadata: {
      filterMetadata: { ...own, ...encodeEndpointTls(endpoint.tls), ...encodeEndpointLabels(endpoint.labels) },
    },
  }
}

/** Equal for endpoints of which the same is said. */
export function endpointInputs(endpoints: readonly ResolvedEndpoint[]): unknown[] {
  return endpoints.flatMap(({ host, port, weight, tls, asked, draining, locality, labels, workload }) => [
    host,
    port,
    weight,
    tls,
    asked,
    draining,
    locality?.region,
    locality?.zone,
    locality?.subZone,
    labels === undefined ? undefined : JSON.stringify(labels),
    workload?.namespace,
    workload?.name,
  ])
}

/** Those of a workload by which the port's requests choose. */
export function chosenLabels(
  labels: Readonly<Record<string, string>>,
  { loadBalancing }: MeshTraffic = {},
): Pick<ResolvedEndpoint, 'labels'> {
  const { selectors = [], defaultSubset = {} } = loadBalancing?.subsets ?? {}
  const keys = new Set([...selectors.flatMap((selector) => selector.keys), ...Object.keys(defaultSubset)])
  const chosen = Object.entries(labels).filter(([key]) => keys.has(key))
  return chosen.length === 0 ? {} : { labels: Object.fromEntries(chosen.toSorted(([a], [b]) => (a < b ? -1 : 1))) }
}

/** Its endpoints are looked up by name. */
export function usesDns({ endpoints }: Pick<MeshServicePort, 'endpoints'>): boolean {
  return endpoints.some((endpoint) => endpoint.kind === 'address' && endpoint.dns)
}

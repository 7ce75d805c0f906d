// ClusterLoadAssignment → endpoints; and socket addresses, which listeners have too.
import type { Address } from '../../contracts/xds/gen/envoy/config/core/v3/address_pb.ts'
import type { Locality as LocalityMessage } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import { HealthStatus } from '../../contracts/xds/gen/envoy/config/core/v3/health_check_pb.ts'
import type { LbEndpoint } from '../../contracts/xds/gen/envoy/config/endpoint/v3/endpoint_components_pb.ts'
import { ClusterLoadAssignmentSchema } from '../../contracts/xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import type { ClusterLoadAssignment } from '../../contracts/xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts'
import { metadataKey } from '../../contracts/xds/names.ts'
import { isAsked } from '../../policies/health-checks/health-checks.xds.ts'
import { decodeEndpointLabels } from '../../policies/load-balancing/subsets.xds.ts'
import { decodeEndpointTls } from '../../policies/peer-authentication/upstream-tls.xds.ts'
import { parseResource } from './parse-resource.ts'
import type { EndpointConfig } from './runtime-config.ts'

/** Throws an Error that says what cannot be served. */
export function decodeLoadAssignmentResource(body: Uint8Array): readonly EndpointConfig[] {
  return decodeLoadAssignment(parseResource(ClusterLoadAssignmentSchema, body))
}

/** Endpoints of all priorities and localities. */
export function decodeLoadAssignment(assignment: ClusterLoadAssignment): readonly EndpointConfig[] {
  return assignment.endpoints.flatMap(({ lbEndpoints, locality, loadBalancingWeight: weight, priority }) => {
    const place = { ...decodeLocality(locality, weight), ...(priority === 0 ? {} : { priority }) }
    return lbEndpoints.map((endpoint): EndpointConfig => ({ ...decodeEndpoint(endpoint), ...place }))
  })
}

/** What has no place has no weight beside others. */
function decodeLocality(
  message: LocalityMessage | undefined,
  localityWeight: number | undefined,
): Pick<EndpointConfig, 'locality' | 'localityWeight'> {
  const { region = '', zone = '', subZone = '' } = message ?? {}
  if (region === '' && zone === '' && subZone === '') return {}
  return { locality: { region, zone, subZone }, ...(localityWeight === undefined ? {} : { localityWeight }) }
}

/** Envoy takes one that is degraded after the others; here it is one of them. */
const health: Readonly<Partial<Record<HealthStatus, EndpointConfig['health']>>> = {
  [HealthStatus.DRAINING]: 'draining',
  [HealthStatus.UNHEALTHY]: 'unhealthy',
  [HealthStatus.TIMEOUT]: 'unhealthy',
}

function decodeEndpoint({ hostIdentifier, healthStatus, loadBalancingWeight, metadata }: LbEndpoint): EndpointConfig {
  if (hostIdentifier.case !== 'endpoint') throw new Error('an endpoint without an address')
  const { host, port } = decodeSocketAddress(hostIdentifier.value.address, 'endpoint')
  const told = health[healthStatus]
  const filterMetadata = metadata?.filterMetadata ?? {}
  const own = filterMetadata[metadataKey]
  const namespace = own?.['namespace']
  const name = own?.['workload']
  const labels = decodeEndpointLabels(filterMetadata)
  return {
    host,
    port,
    weight: loadBalancingWeight ?? 1,
    tls: decodeEndpointTls(filterMetadata),
    ...(labels === undefined ? {} : { labels }),
    ...(told === undefined ? {} : { health: told }),
    ...(isAsked(hostIdentifier.value) ? {} : { asked: false }),
    ...(typeof namespace === 'string' && typeof name === 'string' ? { workload: { namespace, name } } : {}),
  }
}

/** Throws an Error that names `place`. */
export function decodeSocketAddress(
  address: Address | undefined,
  place: string,
): { readonly host: string; readonly port: number } {
  if (address?.address.case !== 'socketAddress') throw new Error(`${place}: expected a socket address`)
  const { address: host, portSpecifier } = address.address.value
  const port = portSpecifier.case === 'portValue' ? portSpecifier.value : 0
  if (host === '' || port < 1 || port > 65_535) throw new Error(`${place}: "${host}:${port}" is not a host and a port`)
  return { host, port }
}

// Transport of filter chains and clusters: the mesh's own TLS, TLS that ends at a gateway, TLS towards the outside, bytes as they come.
import type { Cluster } from '../../contracts/xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { FilterChain } from '../../contracts/xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import { DownstreamTlsContextSchema } from '../../contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { ownCertificateSecret } from '../../contracts/xds/names.ts'
import { decodeBackendTls } from '../../policies/backend-tls/backend-tls.xds.ts'
import { decodeTransport } from '../../policies/peer-authentication/peer-authentication.xds.ts'
import { readTypedConfig } from '../../policies/typed-config.xds.ts'
import type { ClusterConfig, FilterChainConfig } from './runtime-config.ts'

type ChainTransport = Pick<FilterChainConfig, 'tls'> & Pick<FilterChainConfig['match'], 'transport'>

/** `opaque`: the chain carries bytes, TLS of the application's own included. Throws an Error that says what cannot be served. */
export function decodeChainTransport(chain: FilterChain, opaque: boolean): ChainTransport {
  const socket = chain.transportSocket
  if (socket === undefined) {
    const protocol = chain.filterChainMatch?.transportProtocol ?? ''
    if (opaque && protocol === 'tls') return { transport: 'tls' }
    if (opaque && protocol === '') return { transport: 'any' }
    return { transport: decodeTransport(chain).transport }
  }
  const context = readTypedConfig(socket.configType.value, DownstreamTlsContextSchema, 'transport_socket')
  const common = context.commonTlsContext
  const secrets = common?.tlsCertificateSdsSecretConfigs.map(({ name }) => name) ?? []
  if (secrets.length === 0 || secrets.includes(ownCertificateSecret)) {
    const { transport, tls } = decodeTransport(chain)
    return { transport, ...(tls === undefined ? {} : { tls: { kind: 'mesh', ...tls } }) }
  }
  const protocol = chain.filterChainMatch?.transportProtocol ?? ''
  if (protocol !== '' && protocol !== 'tls') throw new Error(`transport protocol "${protocol}" with a TLS socket`)
  if (common?.validationContextType.case !== undefined || context.requireClientCertificate === true) {
    throw new Error('transport_socket: certificates of clients are not supported')
  }
  return { transport: 'tls', tls: { kind: 'terminate', secrets, alpn: common?.alpnProtocols ?? [] } }
}

export function decodeOriginateTls(cluster: Cluster): Pick<ClusterConfig, 'originateTls'> {
  const tls = decodeBackendTls(cluster)
  if (tls === undefined) return {}
  const { serverName, subjectAltNames, rootsSecret } = tls
  return {
    originateTls: {
      serverName,
      subjectAltNames: subjectAltNames.map(({ value }) => value),
      ...(rootsSecret === undefined ? {} : { rootsSecret }),
    },
  }
}

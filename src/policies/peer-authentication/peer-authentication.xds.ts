// What an inbound listener demands ↔ the filter chains of envoy.config.listener.v3.Listener: one for TLS, one for plaintext.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type { TransportSocketSchema } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import type {
  FilterChain,
  FilterChainMatchSchema,
} from '../../contracts/xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import { DownstreamTlsContextSchema } from '../../contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import { checkOwnSecrets, encodeOwnSecrets, tlsTransportSocket } from './own-secrets.xds.ts'
import type { PeerAuthenticationSpec } from './peer-authentication.spec.ts'

export interface TransportSpec {
  readonly transport: 'tls' | 'plaintext'
  /** Present exactly when `transport` is `tls`. */
  readonly tls?: { readonly requireClientCertificate: boolean; readonly alpn: readonly string[] }
}

/** What is carried, and how a connection shows that it does: by ALPN under TLS, by its first bytes else. Empty: whatever comes. */
export interface CarriedProtocol {
  /** Of the chains: "tls" and "plaintext" with this behind it. */
  readonly suffix: string
  readonly alpn: readonly string[]
  readonly tlsProtocols: readonly string[]
  readonly plaintextProtocols: readonly string[]
}

export interface TransportChain {
  readonly name: string
  readonly filterChainMatch: MessageInitShape<typeof FilterChainMatchSchema>
  readonly transportSocket?: MessageInitShape<typeof TransportSocketSchema>
}

/** The transport half of the filter chains for one protocol. */
export function encodePeerAuthentication(
  { mode }: PeerAuthenticationSpec,
  { suffix, alpn, tlsProtocols, plaintextProtocols }: CarriedProtocol,
): { readonly tls?: TransportChain; readonly plaintext?: TransportChain } {
  const plaintext: TransportChain = {
    name: `plaintext${suffix}`,
    filterChainMatch: { transportProtocol: 'raw_buffer', applicationProtocols: [...plaintextProtocols] },
  }
  if (mode === 'DISABLE') return { plaintext }
  const context = { commonTlsContext: encodeOwnSecrets(undefined, alpn), requireClientCertificate: true }
  const tls: TransportChain = {
    name: `tls${suffix}`,
    filterChainMatch: { transportProtocol: 'tls', applicationProtocols: [...tlsProtocols] },
    transportSocket: {
      name: tlsTransportSocket,
      configType: { case: 'typedConfig', value: typedConfig(DownstreamTlsContextSchema, context) },
    },
  }
  return mode === 'STRICT' ? { tls } : { tls, plaintext }
}

/** Throws an Error that says what cannot be served. */
export function decodeTransport(chain: FilterChain): TransportSpec {
  const protocol = chain.filterChainMatch?.transportProtocol ?? ''
  const socket = chain.transportSocket
  if (socket === undefined) {
    if (protocol === '' || protocol === 'raw_buffer') return { transport: 'plaintext' }
    throw new Error(`transport protocol "${protocol}" without a transport socket`)
  }
  if (protocol !== '' && protocol !== 'tls') throw new Error(`transport protocol "${protocol}" with a TLS socket`)
  const context = readTypedConfig(socket.configType.value, DownstreamTlsContextSchema, 'transport_socket')
  checkOwnSecrets(context.commonTlsContext, 'transport_socket')
  const requireClientCertificate = context.requireClientCertificate ?? false
  const alpn = context.commonTlsContext?.alpnProtocols ?? []
  return { transport: 'tls', tls: { requireClientCertificate, alpn } }
}

// What an inbound listener demands ↔ the filter chains of envoy.config.listener.v3.Listener: one for TLS, one for plaintext.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type {
  FilterChain,
  FilterChainSchema,
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

type ChainInit = Pick<MessageInitShape<typeof FilterChainSchema>, 'name' | 'filterChainMatch' | 'transportSocket'>

const plaintext: ChainInit = { name: 'plaintext', filterChainMatch: { transportProtocol: 'raw_buffer' } }

/** The transport half of each filter chain. */
export function encodePeerAuthentication({ mode }: PeerAuthenticationSpec): readonly ChainInit[] {
  if (mode === 'DISABLE') return [plaintext]
  const tls: ChainInit = {
    name: 'tls',
    filterChainMatch: { transportProtocol: 'tls' },
    transportSocket: {
      name: tlsTransportSocket,
      configType: {
        case: 'typedConfig',
        value: typedConfig(DownstreamTlsContextSchema, {
          commonTlsContext: encodeOwnSecrets(),
          requireClientCertificate: true,
        }),
      },
    },
  }
  return mode === 'STRICT' ? [tls] : [tls, plaintext]
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
  const { requireClientCertificate = false, commonTlsContext } = context
  return { transport: 'tls', tls: { requireClientCertificate, alpn: commonTlsContext?.alpnProtocols ?? [] } }
}

import { describe, expect, it } from 'vitest'

import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { FilterChainSchema } from '../../contracts/xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import { DownstreamTlsContextSchema } from '../../contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { typedConfig } from '../typed-config.xds.ts'
import { encodeOwnSecrets } from './own-secrets.xds.ts'
import { decodeTransport, encodePeerAuthentication } from './peer-authentication.xds.ts'

const bytes = { suffix: '-tcp', alpn: ['x'], tlsProtocols: ['x'], plaintextProtocols: [] }
const mutual = { transport: 'tls', tls: { requireClientCertificate: true, alpn: ['x'] } }
const plaintext = { transport: 'plaintext' }

function socket(init: Parameters<typeof typedConfig<typeof DownstreamTlsContextSchema>>[1]) {
  const value = typedConfig(DownstreamTlsContextSchema, init)
  return { name: 'tls', configType: { case: 'typedConfig' as const, value } }
}

describe('peer authentication over xDS', () => {
  it.each([
    ['STRICT', [mutual]],
    ['PERMISSIVE', [mutual, plaintext]],
    ['DISABLE', [plaintext]],
  ] as const)('%s is a chain for each transport that may come', (mode, chains) => {
    const { tls, plaintext: clear } = encodePeerAuthentication({ mode }, bytes)
    const messages = [tls, clear].flatMap((chain) => (chain === undefined ? [] : overTheWire(FilterChainSchema, chain)))
    expect(messages.map(decodeTransport)).toEqual(chains)
  })

  it.each([
    [{ filterChainMatch: { transportProtocol: 'tls' } }, 'without a transport socket'],
    [{ filterChainMatch: { transportProtocol: 'quic' } }, '"quic"'],
    [
      { filterChainMatch: { transportProtocol: 'raw_buffer' }, transportSocket: socket({}) },
      '"raw_buffer" with a TLS socket',
    ],
    [{ transportSocket: socket({}) }, 'the certificate must be the SDS secret "default"'],
    [{ transportSocket: { name: 'tls' } }, 'got nothing'],
    [
      {
        transportSocket: socket({
          commonTlsContext: { ...encodeOwnSecrets(), validationContextType: { case: undefined } },
        }),
      },
      'verified with the SDS secret "ROOTCA"',
    ],
  ])('refuses a chain that it cannot serve, by name', (init, reason) => {
    expect(() => decodeTransport(overTheWire(FilterChainSchema, init as never))).toThrow(reason)
  })
})

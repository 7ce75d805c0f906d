import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { ClusterSchema } from '../../contracts/xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { UpstreamTlsContextSchema } from '../../contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { typedConfig } from '../typed-config.xds.ts'
import { encodeOwnSecrets, meshAlpn, plainAlpn } from './own-secrets.xds.ts'
import { decodeEndpointTls, decodeUpstreamTls, encodeEndpointTls, encodeUpstreamTls } from './upstream-tls.xds.ts'

function matched(init: Parameters<typeof typedConfig<typeof UpstreamTlsContextSchema>>[1]) {
  const value = typedConfig(UpstreamTlsContextSchema, init)
  const transportSocket = { name: 'tls', configType: { case: 'typedConfig' as const, value } }
  return { transportSocketMatches: [{ name: 'mesh', match: { tlsMode: 'heddle' }, transportSocket }] }
}

describe('TLS towards endpoints over xDS', () => {
  it('decodes the peers that it encodes', () => {
    const ids = fc.array(
      fc.string().map((path) => `spiffe://mesh.local/${path}`),
      { maxLength: 4 },
    )
    fc.assert(
      fc.property(ids, (peers) => {
        const message = overTheWire(ClusterSchema, { transportSocketMatches: encodeUpstreamTls(peers) })
        expect(decodeUpstreamTls(message)).toEqual({ peerSpiffeIds: peers, alpn: peers.length === 0 ? [] : meshAlpn })
      }),
    )
  })

  it('offers HTTP/1.1 alone where HTTP/2 is not wanted', () => {
    const transportSocketMatches = encodeUpstreamTls(['spiffe://mesh.local/a'], plainAlpn)
    expect(decodeUpstreamTls(overTheWire(ClusterSchema, { transportSocketMatches })).alpn).toEqual(['http/1.1'])
  })

  it('marks the endpoints behind sidecars', () => {
    for (const tls of [true, false]) expect(decodeEndpointTls(encodeEndpointTls(tls))).toBe(tls)
  })

  it.each([
    [matched({ commonTlsContext: encodeOwnSecrets() }), 'must say who may answer'],
    [matched({}), 'transport_socket_matches "mesh": the certificate'],
    [
      matched({
        commonTlsContext: encodeOwnSecrets({
          matchTypedSubjectAltNames: [{ matcher: { matchPattern: { case: 'prefix', value: 'spiffe://' } } }],
        }),
      }),
      'must match URIs exactly',
    ],
  ])('refuses a cluster that it cannot serve, by name', (init, reason) => {
    expect(() => decodeUpstreamTls(overTheWire(ClusterSchema, init))).toThrow(reason)
  })
})

import { describe, expect, it } from 'vitest'

import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { ClusterSchema } from '../../contracts/xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { UpstreamTlsContextSchema } from '../../contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { encodeOwnSecrets } from '../peer-authentication/own-secrets.xds.ts'
import { typedConfig } from '../typed-config.xds.ts'
import type { BackendTlsSpec } from './backend-tls.spec.ts'
import { decodeBackendTls, encodeBackendTls } from './backend-tls.xds.ts'

const names: BackendTlsSpec['subjectAltNames'] = [
  { type: 'dns', value: 'a.example' },
  { type: 'uri', value: 'spiffe://a/b' },
]

function socket(init: Parameters<typeof typedConfig<typeof UpstreamTlsContextSchema>>[1]) {
  const value = typedConfig(UpstreamTlsContextSchema, init)
  return { transportSocket: { name: 'tls', configType: { case: 'typedConfig' as const, value } } }
}

describe('TLS towards the outside over xDS', () => {
  it.each<[string, BackendTlsSpec | undefined]>([
    ['none', undefined],
    ['with the runtime’s roots', { serverName: 'a.example', subjectAltNames: names }],
    ['with roots by name', { serverName: 'a.example', subjectAltNames: names, rootsSecret: 'roots|r' }],
  ])('comes out as it went in: %s', (_, spec) => {
    expect(decodeBackendTls(overTheWire(ClusterSchema, encodeBackendTls(spec)))).toEqual(spec)
  })

  it.each([
    [{ transportSocket: { name: 'tls' } }, 'transport_socket: expected a envoy'],
    [socket({}), 'the server must be verified'],
    [socket({ commonTlsContext: encodeOwnSecrets() }), 'a certificate of the client is not supported'],
    [
      socket({
        commonTlsContext: { validationContextType: { case: 'validationContext', value: { systemRootCerts: {} } } },
      }),
      'must say who may answer',
    ],
    [
      socket({
        commonTlsContext: {
          validationContextType: {
            case: 'validationContext',
            value: {
              systemRootCerts: {},
              matchTypedSubjectAltNames: [{ sanType: 2, matcher: { matchPattern: { case: 'prefix', value: 'a' } } }],
            },
          },
        },
      }),
      'must match DNS names or URIs exactly',
    ],
  ])('refuses a cluster whose server it would not know: %#', (init, reason) => {
    expect(() => decodeBackendTls(overTheWire(ClusterSchema, init as never))).toThrow(reason)
  })
})

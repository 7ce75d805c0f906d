import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { ExtAuthzSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.ts'
import { HttpFilterSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { ListStringMatcherSchema } from '../../contracts/xds/gen/envoy/type/matcher/v3/string_pb.ts'
import { readTypedConfig } from '../typed-config.xds.ts'
import type { ExternalAuthorizationSpec } from './external-authorization.spec.ts'
import {
  decodeExternalAuthorization,
  encodeExternalAuthorization,
  externalAuthorizationFilterName,
  questionPrefixOf,
} from './external-authorization.xds.ts'

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,9}$/)
const pattern = fc.oneof(
  name,
  fc.constant('*'),
  name.map((text) => `${text}*`),
  name.map((text) => `*${text}`),
)
const patterns = fc.array(pattern, { maxLength: 4 })
const plain = { noNullPrototype: true }
const service = fc.oneof(
  fc.record({ kind: fc.constant('grpc' as const), cluster: name }, plain),
  fc.record(
    {
      kind: fc.constant('http' as const),
      cluster: name,
      pathPrefix: name.map((text) => `/${text}`),
      headersToUpstreamOnAllow: patterns,
      headersToDownstreamOnDeny: patterns,
    },
    plain,
  ),
)
const requestBody = fc.record(
  {
    maxRequestBytes: fc.integer({ min: 1, max: 0xffffffff }),
    allowPartialMessage: fc.boolean(),
    packAsBytes: fc.boolean(),
  },
  plain,
)
const spec: fc.Arbitrary<ExternalAuthorizationSpec> = fc.record(
  {
    service,
    timeoutMs: fc.integer({ min: 1, max: 100_000 }),
    failOpen: fc.boolean(),
    statusOnError: fc.integer({ min: 400, max: 599 }),
    headersInCheck: patterns,
    requestBody,
  },
  { ...plain, requiredKeys: ['service', 'timeoutMs', 'failOpen', 'statusOnError', 'headersInCheck'] },
)

type Init = MessageInitShape<typeof ExtAuthzSchema>
type HttpInit = Extract<NonNullable<Init['services']>, { case: 'httpService' }>['value']
const envoyGrpc = { targetSpecifier: { case: 'envoyGrpc', value: { clusterName: 'auth' } } } as const
const serverUri = { uri: 'http://auth', httpUpstreamType: { case: 'cluster', value: 'auth' } } as const

function decoded(init: Init): ExternalAuthorizationSpec {
  return decodeExternalAuthorization(
    create(ExtAuthzSchema, { services: { case: 'grpcService', value: envoyGrpc }, ...init }),
  )
}

const byHttp = (value: HttpInit): Init => ({ services: { case: 'httpService', value } })
const some = create(ListStringMatcherSchema, { patterns: [{ matchPattern: { case: 'exact', value: 'X-A' } }] })

describe('external authorization over xDS', () => {
  it('decodes what it encodes', () => {
    fc.assert(
      fc.property(spec, (one) => {
        const filter = overTheWire(HttpFilterSchema, encodeExternalAuthorization(one, 'ask_'))
        expect(filter.name).toBe(externalAuthorizationFilterName)
        const any = filter.configType.case === 'typedConfig' ? filter.configType.value : undefined
        const message = readTypedConfig(any, ExtAuthzSchema, 'test')
        expect(decodeExternalAuthorization(message)).toEqual(one)
        expect(questionPrefixOf(message)).toBe('ask_')
      }),
    )
  })

  it("takes another control plane's, with Envoy's defaults", () => {
    const rest = { timeoutMs: 200, failOpen: false, statusOnError: 403 }
    expect(decoded({})).toEqual({ service: { kind: 'grpc', cluster: 'auth' }, ...rest, headersInCheck: [] })
    expect(decoded(byHttp({ serverUri, authorizationRequest: { allowedHeaders: some } }))).toEqual({
      service: {
        kind: 'http',
        cluster: 'auth',
        pathPrefix: '',
        headersToUpstreamOnAllow: [],
        headersToDownstreamOnDeny: [],
      },
      ...rest,
      headersInCheck: ['x-a'],
    })
  })

  it('refuses to be switched by anything but a matching rule', () => {
    const message = create(ExtAuthzSchema, { filterEnabledMetadata: { filter: 'other' } })
    expect(() => questionPrefixOf(message)).toThrow('filter_enabled_metadata')
    expect(questionPrefixOf(create(ExtAuthzSchema))).toBeUndefined()
  })

  it.each<[string, Init]>([
    ['grpc_service or http_service is required', { services: { case: undefined } }],
    ['has to be envoy_grpc', { services: { case: 'grpcService', value: {} } }],
    [
      'initial_metadata',
      { services: { case: 'grpcService', value: { ...envoyGrpc, initialMetadata: [{ key: 'a', value: 'b' }] } } },
    ],
    ['server_uri.cluster', byHttp({})],
    ['headers_to_add', byHttp({ serverUri, authorizationRequest: { headersToAdd: [{ key: 'a' }] } })],
    ['_to_append', byHttp({ serverUri, authorizationResponse: { allowedUpstreamHeadersToAppend: some } })],
    ['_on_success', byHttp({ serverUri, authorizationResponse: { allowedClientHeadersOnSuccess: some } })],
    ['dynamic_metadata', byHttp({ serverUri, authorizationResponse: { dynamicMetadataFromHeaders: some } })],
    ['with_request_body.max_request_bytes has to be more than 0', { withRequestBody: {} }],
    ['failure_mode_allow_header_add', { failureModeAllowHeaderAdd: true }],
    ['filter_enabled', { filterEnabled: {} }],
    ['deny_at_disable', { denyAtDisable: {} }],
    ['metadata_context_namespaces', { metadataContextNamespaces: ['a'] }],
    ['route_metadata_context_namespaces', { routeMetadataContextNamespaces: ['a'] }],
    ['disallowed_headers', { disallowedHeaders: {} }],
    ['encode_raw_headers', { encodeRawHeaders: true }],
    ['include_peer_certificate', { includePeerCertificate: true }],
    ['decoder_header_mutation_rules', { decoderHeaderMutationRules: {} }],
    [
      'exact, prefix or suffix only',
      { allowedHeaders: { patterns: [{ matchPattern: { case: 'safeRegex', value: { regex: 'a|b' } } }] } },
    ],
  ])('refuses what it cannot serve: %s', (reason, init) => {
    expect(() => decoded(init)).toThrow(reason)
  })
})

import { create } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { JwtAuthenticationSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.ts'
import type { JwtAuthentication } from '../../contracts/xds/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.ts'
import { HttpFilterSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { readTypedConfig } from '../typed-config.xds.ts'
import type { JwtRule } from './request-authentication.spec.ts'
import {
  decodeRequestAuthentication,
  encodeRequestAuthentication,
  requestAuthenticationFilterName,
} from './request-authentication.xds.ts'

type Init = MessageInitShape<typeof JwtAuthenticationSchema>

function received(rules: readonly JwtRule[]): JwtAuthentication {
  const filter = overTheWire(HttpFilterSchema, encodeRequestAuthentication(rules) ?? {})
  expect(filter.name).toBe(requestAuthenticationFilterName)
  const any = filter.configType.case === 'typedConfig' ? filter.configType.value : undefined
  return readTypedConfig(any, JwtAuthenticationSchema, 'test')
}

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,9}$/)
const outputHeader = name.map((rest) => `x-${rest}`)
const text = fc.string({ minLength: 1, maxLength: 20 })
const keys = fc.oneof(
  fc.record({ jwks: text, timeoutMs: fc.constant(5000) }),
  fc.record({
    jwksUri: fc.oneof(
      fc.webUrl(),
      name.map((path) => `file:///${path}`),
    ),
    timeoutMs: fc.constant(5000),
  }),
  fc.record({ jwksUri: fc.webUrl(), timeoutMs: fc.integer({ min: 1, max: 100_000 }) }),
)
const rule: fc.Arbitrary<JwtRule> = fc
  .tuple(
    fc.record(
      {
        issuer: text,
        audiences: fc.array(text),
        fromHeaders: fc.array(fc.record({ name, prefix: fc.string() }, { noNullPrototype: true })),
        fromParams: fc.array(name),
        fromCookies: fc.array(name),
        outputPayloadToHeader: outputHeader,
        forwardOriginalToken: fc.boolean(),
        outputClaimToHeaders: fc.array(fc.record({ header: outputHeader, claim: text }, { noNullPrototype: true })),
      },
      {
        noNullPrototype: true,
        requiredKeys: [
          'issuer',
          'audiences',
          'fromHeaders',
          'fromParams',
          'fromCookies',
          'forwardOriginalToken',
          'outputClaimToHeaders',
        ],
      },
    ),
    keys,
  )
  .map(([rest, where]) => ({ ...rest, ...where }))

const local = {
  jwksSourceSpecifier: { case: 'localJwks', value: { specifier: { case: 'inlineString', value: '{}' } } },
} as const
const provider = { issuer: 'a', ...local }
const everything = { pathSpecifier: { case: 'prefix', value: '/' } } as const
const named = (value: string) => ({ requiresType: { case: 'providerName', value } }) as const
const missing = { requiresType: { case: 'allowMissing', value: {} } } as const
type RequirementInit = NonNullable<Init['requirementMap']>[string]
const anyOf = (...requirements: RequirementInit[]): RequirementInit => ({
  requiresType: { case: 'requiresAny', value: { requirements } },
})
const allOf = (...requirements: RequirementInit[]): RequirementInit => ({
  requiresType: { case: 'requiresAll', value: { requirements } },
})

function decoded(init: Init, requirement?: RequirementInit): readonly string[] {
  const rules = [
    {
      match: everything,
      requirementType: { case: 'requires' as const, value: requirement ?? anyOf(named('p'), missing) },
    },
  ]
  const message = create(JwtAuthenticationSchema, { providers: { p: provider }, rules, ...init })
  return decodeRequestAuthentication(message).rules.map(({ issuer }) => issuer)
}

describe('request authentication over xDS', () => {
  it('decodes what it encodes', () => {
    fc.assert(
      fc.property(fc.array(rule, { minLength: 1, maxLength: 12 }), (rules) => {
        expect(decodeRequestAuthentication(received(rules))).toEqual({ rules })
      }),
    )
  })

  it('is no filter when there are no rules', () => {
    expect(encodeRequestAuthentication([])).toBeUndefined()
    expect(decodeRequestAuthentication(create(JwtAuthenticationSchema))).toEqual({ rules: [] })
  })

  it('takes the requirements of other control planes', () => {
    const providers = { p: provider, q: { ...provider, issuer: 'b' } }
    const one = anyOf(named('p'), missing)
    const two = anyOf(named('q'), missing)
    expect(decoded({}, one)).toEqual(['a'])
    expect(decoded({ providers }, allOf(one, two))).toEqual(['a', 'b'])
    expect(decoded({ providers }, anyOf(named('p'), named('q'), allOf(one, two)))).toEqual(['a', 'b'])
    const byName = [{ match: everything, requirementType: { case: 'requirementName' as const, value: 'r' } }]
    expect(decoded({ rules: byName, requirementMap: { r: one } })).toEqual(['a'])
    expect(decoded({ rules: [{ match: everything }] })).toEqual([])
  })

  it.each<[string, Init, RequirementInit?]>([
    ['must be there', {}, named('p')],
    ['must be there', {}, anyOf(named('p'))],
    ['must be there', {}, allOf(named('p'))],
    ['must be there', {}, { requiresType: { case: 'allowMissingOrFailed', value: {} } }],
    ['provider "x" is not defined', {}, anyOf(named('x'), missing)],
    ['only one rule', { rules: [{ match: { pathSpecifier: { case: 'prefix', value: '/a' } } }] }],
    ['only one rule', { rules: [{ match: { ...everything, headers: [{ name: 'x' }] } }] }],
    ['only one rule', { rules: [{ match: everything }, { match: everything }] }],
    [
      'no requirement "r"',
      { rules: [{ match: everything, requirementType: { case: 'requirementName', value: 'r' } }] },
    ],
    ['filter_state_rules', { filterStateRules: {} }],
    ['strip_failure_response', { stripFailureResponse: true }],
    ['issuer is required', { providers: { p: { ...provider, issuer: '' } } }],
    ['subjects', { providers: { p: { ...provider, subjects: {} } } }],
    ['require_expiration', { providers: { p: { ...provider, requireExpiration: true } } }],
    ['max_lifetime', { providers: { p: { ...provider, maxLifetime: { seconds: 1n } } } }],
    ['pad_forward_payload_header', { providers: { p: { ...provider, padForwardPayloadHeader: true } } }],
    ['"Host" cannot be written to', { providers: { p: { ...provider, forwardPayloadHeader: 'Host' } } }],
    [
      '"x a" cannot be written to',
      { providers: { p: { ...provider, claimToHeaders: [{ headerName: 'x a', claimName: 'a' }] } } },
    ],
    ['clock_skew_seconds', { providers: { p: { ...provider, clockSkewSeconds: 10 } } }],
    ['local_jwks or remote_jwks', { providers: { p: { issuer: 'a' } } }],
    [
      'has to be a text or a file',
      { providers: { p: { issuer: 'a', jwksSourceSpecifier: { case: 'localJwks', value: {} } } } },
    ],
    [
      'an http or https URL',
      {
        providers: {
          p: {
            issuer: 'a',
            jwksSourceSpecifier: { case: 'remoteJwks', value: { httpUri: { uri: 'file:///etc/keys' } } },
          },
        },
      },
    ],
  ])('refuses what it cannot serve: %s', (reason, init, requirement) => {
    expect(() => decoded(init, requirement)).toThrow(reason)
  })
})

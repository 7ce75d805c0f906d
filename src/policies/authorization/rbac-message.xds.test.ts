import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { PermissionSchema, PrincipalSchema } from '../../contracts/xds/gen/envoy/config/rbac/v3/rbac_pb.ts'
import { UriTemplateMatchConfigSchema } from '../../contracts/xds/gen/envoy/extensions/path/match/uri_template/v3/uri_template_match_pb.ts'
import { typedConfig } from '../typed-config.xds.ts'
import type { ClaimValueMatch, Permission, Principal, TextMatch } from './authorization.spec.ts'
import { decodePermission, decodePrincipal, encodePermission, encodePrincipal } from './rbac-message.xds.ts'

function record<T>(model: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>
}
const text = fc.stringMatching(/^[a-z/:]{1,5}$/)
const match = fc.oneof(
  record<TextMatch>({
    kind: fc.constantFrom('exact', 'prefix', 'suffix', 'contains'),
    value: text,
    ignoreCase: fc.boolean(),
  }),
  record<TextMatch>({ kind: fc.constant('regex'), value: text }),
  fc.constant<TextMatch>({ kind: 'present' }),
)
const block = record({ address: fc.constantFrom('10.0.0.0', '::1'), prefixLength: fc.nat(32) })
const header = record({
  kind: fc.constant('header'),
  name: text,
  match: fc.oneof(match, fc.constantFrom('present', 'absent')),
})
const path = record({ kind: fc.constant('path'), match })
const { claimValue } = fc.letrec<{ claimValue: ClaimValueMatch }>((tie) => ({
  claimValue: fc.oneof(
    { depthSize: 'small' },
    record<ClaimValueMatch>({ kind: fc.constant('text'), match }),
    fc.constant<ClaimValueMatch>({ kind: 'present' }),
    record<ClaimValueMatch>({ kind: fc.constant('element'), value: tie('claimValue') }),
    record<ClaimValueMatch>({ kind: fc.constant('or'), values: fc.array(tie('claimValue'), { maxLength: 2 }) }),
  ),
}))
const claim = record({
  kind: fc.constant('claim'),
  path: fc.array(text, { minLength: 1, maxLength: 2 }),
  value: claimValue,
})

/** Trees of `leaves`. */
function rules<T>(...leaves: fc.Arbitrary<unknown>[]): fc.Arbitrary<T> {
  const { rule } = fc.letrec((tie) => ({
    rule: fc.oneof(
      { depthSize: 'small' },
      fc.oneof(...leaves),
      record({ kind: fc.constantFrom('and', 'or'), rules: fc.array(tie('rule'), { maxLength: 3 }) }),
      record({ kind: fc.constant('not'), rule: tie('rule') }),
    ),
  }))
  return rule as fc.Arbitrary<T>
}

const port = fc.integer({ min: 1, max: 65535 })
const permission = rules<Permission>(
  fc.constant({ kind: 'any' }),
  header,
  path,
  claim,
  record({ kind: fc.constant('template'), template: fc.constantFrom('/a/*/b', '/**', '/*/**/c') }),
  record({ kind: fc.constant('destinationIp'), block }),
  fc.tuple(port, port).map(([a, b]) => ({ kind: 'destinationPort', from: Math.min(a, b), to: Math.max(a, b) })),
  record({ kind: fc.constant('serverName'), match }),
)
const principal = rules<Principal>(
  fc.constant({ kind: 'any' }),
  header,
  path,
  claim,
  record({ kind: fc.constant('authenticated'), match }),
  record({
    kind: fc.constant('workload'),
    namespace: fc.constantFrom('a', 'sa', 'a.b'),
    serviceAccount: fc.constantFrom('a', 'sa', '.+', undefined),
  }),
  record({ kind: fc.constantFrom('directRemoteIp', 'remoteIp'), block }),
)

function template(pathTemplate: string): Permission {
  const config = typedConfig(UriTemplateMatchConfigSchema, { pathTemplate })
  const message = overTheWire(PermissionSchema, {
    rule: { case: 'uriTemplate', value: { name: 'x', typedConfig: config } },
  })
  return decodePermission(message, 'x')
}

describe('permissions and principals over xDS', () => {
  it('are decoded as they were encoded', () => {
    fc.assert(
      fc.property(permission, principal, (one, other) => {
        expect(decodePermission(overTheWire(PermissionSchema, encodePermission(one)), 'x')).toEqual(one)
        expect(decodePrincipal(overTheWire(PrincipalSchema, encodePrincipal(other)), 'x')).toEqual(other)
      }),
    )
  })

  it('of other control planes are taken', () => {
    expect(template('/a/{b}/{c=*}/{d=**}')).toEqual({ kind: 'template', template: '/a/*/*/**' })
    expect(() => template('/a/{b=x/*}')).toThrow('path template "/a/{b=x/*}" is not supported')
    expect(() => template('/**/*')).toThrow('not supported')
    const authenticated = overTheWire(PrincipalSchema, { identifier: { case: 'authenticated', value: {} } })
    expect(decodePrincipal(authenticated, 'x')).toEqual({ kind: 'authenticated', match: { kind: 'present' } })
    const inverted = overTheWire(PrincipalSchema, {
      identifier: {
        case: 'metadata',
        value: {
          filter: 'envoy.filters.http.jwt_authn',
          path: [{ segment: { case: 'key', value: 'payload' } }, { segment: { case: 'key', value: 'iss' } }],
          value: { matchPattern: { case: 'presentMatch', value: true } },
          invert: true,
        },
      },
    })
    const iss: Principal = { kind: 'claim', path: ['iss'], value: { kind: 'present' } }
    expect(decodePrincipal(inverted, 'x')).toEqual({ kind: 'not', rule: iss })
  })

  it.each([
    [{}, 'a permission of type none'],
    [{ rule: { case: 'any', value: false } }, '"any" must be true'],
    [{ rule: { case: 'matcher', value: {} } }, 'a permission of type matcher'],
    [{ rule: { case: 'metadata', value: { filter: 'other' } } }, 'metadata of other'],
    [{ rule: { case: 'header', value: { name: 'a', invertMatch: true } } }, 'header "a": invert_match'],
    [
      { rule: { case: 'header', value: { name: 'a', headerMatchSpecifier: { case: 'rangeMatch', value: {} } } } },
      'header "a": rangeMatch',
    ],
    [{ rule: { case: 'requestedServerName', value: {} } }, 'a string matcher of type none'],
  ] as const)('that cannot be served are refused, by name: %j', (init, reason) => {
    expect(() => decodePermission(overTheWire(PermissionSchema, init), 'policy "p"')).toThrow(`policy "p": ${reason}`)
  })

  it('of unknown kinds are refused', () => {
    const message = overTheWire(PrincipalSchema, { identifier: { case: 'filterState', value: {} } })
    expect(() => decodePrincipal(message, 'x')).toThrow('a principal of type filterState is not supported')
  })
})

import { describe, expect, it } from 'vitest'

import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { RBACSchema as HttpRbacSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts'
import { HttpFilterSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { RBACSchema as NetworkRbacSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.ts'
import { readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import { createAuthorizer } from './authorization.runtime.ts'
import type {
  AppliedPolicy,
  AuthorizationPolicySpec,
  AuthorizationSource,
  RbacFilterSpec,
} from './authorization.spec.ts'
import {
  decodeAuthorization,
  decodeNetworkAuthorization,
  encodeAuthorization,
  encodeNetworkAuthorization,
} from './authorization.xds.ts'
import type { AuthorizationPlace } from './authorization.xds.ts'

const place: AuthorizationPlace = { port: 80, protocol: 'http', defaultAction: 'ALLOW', trustDomains: ['mesh.local'] }

function policy(name: string, spec: Partial<AuthorizationPolicySpec>): AppliedPolicy {
  const document = `AuthorizationPolicy/default/${name}`
  return {
    name: document,
    namespace: 'default',
    source: { document },
    ruleSources: (spec.rules ?? []).map((_, index) => ({ document, file: 'a: b.yaml', line: 7 + index, column: 5 })),
    spec: { action: 'ALLOW', dryRun: false, reauthorize: false, ...spec },
  }
}

function decoded(policies: readonly AppliedPolicy[], changes: Partial<AuthorizationPlace> = {}): RbacFilterSpec[] {
  return encodeAuthorization(policies, { ...place, ...changes }).map((filter) =>
    decodeAuthorization(overTheWire(HttpFilterSchema, filter)),
  )
}

function forPort(port: string): AppliedPolicy {
  return policy('a', { rules: [{ to: [{ operation: { ports: [port] } }] }] })
}

function foreignFilter(init: object): RbacFilterSpec {
  return decodeAuthorization({ configType: { case: 'typedConfig', value: typedConfig(HttpRbacSchema, init) } })
}

const peer = { address: '', port: 0, remoteAddress: '', localAddress: '', localPort: 80, sni: undefined }
const anything = { permissions: [{ kind: 'any' }], principals: [{ kind: 'any' }] }
const rules = [{}]

function allowed(source: AuthorizationSource, id: string, federated?: true): boolean {
  const changes = { trustDomains: ['mesh.local', 'old.local'], ...(federated && { federated }) }
  const filters = decoded([policy('a', { rules: [{ from: [{ source }] }] })], changes)
  return createAuthorizer(filters).authorizeConnection({ ...peer, principal: id }).allowed
}

/** But for the numbers of its parts. */
function shape(one: RbacFilterSpec | undefined): string {
  const condition = one?.enforced?.policies[0]?.condition
  return JSON.stringify(condition, (name, value: unknown) => (name === 'id' ? undefined : value))
}

describe('authorization policies over xDS', () => {
  it('are filters in the order of evaluation, without what asks somebody else', () => {
    const filters = decoded([
      policy('a', { rules }),
      policy('d', { action: 'DENY', rules }),
      policy('c', { action: 'CUSTOM', provider: { name: 'x' }, rules }),
      policy('l', { action: 'AUDIT', rules }),
    ])
    expect(filters.map(({ enforced }) => enforced?.action)).toEqual(['LOG', 'DENY', 'ALLOW'])
  })

  it('carry conditions in the names of Envoy, with the port that they are for', () => {
    const condition =
      "has(source.principal) && [source.principal].exists(p, p != '') && destination.port == 80 && has(request.auth.claims.team)"
    const [filter] = decoded([policy('a', { rules: [{ condition }] })], { port: 80 })
    const foreign =
      "has(connection.uri_san_peer_certificate) && [connection.uri_san_peer_certificate].exists(p, p != '') && 80 == 80 && " +
      "has(metadata.filter_metadata['envoy.filters.http.jwt_authn']['payload'].team)"
    const [other] = decoded([policy('a', { rules: [{ condition: foreign }] })])
    expect(shape(filter)).toBe(shape(other))
    expect(shape(filter)).toContain('"name":"connection"')
  })

  it('are nothing when nothing is said', () => {
    expect(decoded([])).toEqual([])
    expect(decoded([policy('c', { action: 'CUSTOM', provider: { name: 'x' }, rules })])).toEqual([])
  })

  describe('beside other trust domains', () => {
    const [own, alias, theirs] = ['mesh.local', 'old.local', 'partner.example'].map(
      (domain) => `spiffe://${domain}/ns/shop/sa/web`,
    ) as [string, string, string]

    it.each<[AuthorizationSource]>([
      [{ namespaces: ['shop'] }],
      [{ namespaces: ['sh*'] }],
      [{ namespaces: ['*'] }],
      [{ serviceAccounts: ['shop/web'] }],
    ])('mean their own domain and its aliases by %j', (source) => {
      expect([own, alias, theirs].map((id) => allowed(source, id, true))).toEqual([true, true, false])
      // while nobody else can come, nothing is asked
      expect([own, alias, theirs].map((id) => allowed(source, id))).toEqual([true, true, true])
    })

    it.each<[AuthorizationSource, readonly boolean[]]>([
      [{ notNamespaces: ['shop'] }, [false, false, true]],
      [{ principals: ['partner.example/ns/shop/sa/web'] }, [false, false, true]],
      [{ principals: ['partner.example/*'] }, [false, false, true]],
      [{ principals: ['mesh.local/ns/shop/sa/web'] }, [true, true, false]],
      [{ principals: ['*'] }, [true, true, true]],
    ])('decide by %j', (source, verdicts) => {
      expect([own, alias, theirs].map((id) => allowed(source, id, true))).toEqual(verdicts)
    })
  })

  it('allow nothing where that is the default', () => {
    expect(decoded([], { defaultAction: 'DENY' })).toEqual([{ enforced: { action: 'ALLOW', policies: [] } }])
  })

  it('keep the names of rules and where they were written', () => {
    const [filter] = decoded([policy('a', { rules: [{}, {}] })])
    const document = 'AuthorizationPolicy/default/a'
    const source = { document, file: 'a: b.yaml', column: 5 }
    expect(filter?.enforced?.policies).toEqual([
      { name: `${document}/0`, source: { ...source, rule: '0', line: 7 }, ...anything },
      { name: `${document}/1`, source: { ...source, rule: '1', line: 8 }, ...anything },
    ])
    const nowhere = { ...policy('a', { rules }), ruleSources: [] }
    expect(decoded([nowhere])[0]?.enforced?.policies).toEqual([{ name: `${document}/0`, ...anything }])
  })

  it('are shadow rules in dry run, beside those in force', () => {
    const filters = decoded([
      policy('d', { action: 'DENY', rules }),
      policy('try', { action: 'DENY', rules, dryRun: true }),
      policy('a', { rules, dryRun: true }),
    ])
    expect(filters.map(({ enforced, shadow }) => [enforced?.policies.length, shadow?.policies.length])).toEqual([
      [1, 1],
      [undefined, 1],
    ])
  })

  it('leave out rules for other ports', () => {
    expect(decoded([forPort('80')])[0]?.enforced?.policies).toHaveLength(1)
    expect(decoded([forPort('81')])[0]?.enforced?.policies).toHaveLength(0)
  })

  it('read claims where Istio puts them', () => {
    const when = [{ key: 'request.auth.claims[a][b]', values: ['x'] }]
    const [first] = encodeAuthorization([policy('a', { rules: [{ when }] })], place)
    const { rules: message } = readTypedConfig(
      overTheWire(HttpFilterSchema, first ?? {}).configType.value as never,
      HttpRbacSchema,
      'x',
    )
    const identifier = Object.values(message?.policies ?? {})[0]?.principals[0]?.identifier
    expect(identifier?.case === 'metadata' && identifier.value.filter).toBe('envoy.filters.http.jwt_authn')
    expect(identifier?.case === 'metadata' && identifier.value.path.map(({ segment }) => segment.value)).toEqual([
      'payload',
      'a',
      'b',
    ])
  })

  it('take bytes for bytes', () => {
    const get = policy('a', { rules: [{ to: [{ operation: { methods: ['GET'] } }] }] })
    const [filter] = encodeNetworkAuthorization([get], place)
    expect(filter?.name).toBe('envoy.filters.network.rbac')
    expect(decodeNetworkAuthorization(filter as never)).toEqual({ enforced: { action: 'ALLOW', policies: [] } })
  })
})

describe('RBAC filters of other control planes', () => {
  it('may say nothing', () => {
    expect(foreignFilter({})).toEqual({})
  })

  it('have names of their own', () => {
    const policies = { p: { permissions: [], principals: [] } }
    expect(foreignFilter({ rules: { policies } }).enforced?.policies).toEqual([
      { name: 'p', permissions: [], principals: [] },
    ])
  })

  it.each([
    [{ matcher: {} }, 'matcher and shadow_matcher are not supported'],
    [{ shadowMatcher: {} }, 'matcher and shadow_matcher are not supported'],
    [{ rules: { action: 9 } }, 'action 9 is not supported'],
    [{ rules: { policies: { p: { condition: {} } } } }, 'policy "p": condition: is not complete'],
    [{ shadowRules: { policies: { p: { checkedCondition: {} } } } }, 'policy "p": checked_condition: is not complete'],
    [
      { rules: { policies: { p: { condition: {}, checkedCondition: {} } } } },
      'policy "p": condition and checked_condition exclude each other',
    ],
    [
      { rules: { policies: { p: { condition: { exprKind: { case: 'identExpr', value: { name: 'request' } } } } } } },
      'policy "p": condition: "request" is not known here',
    ],
    [
      {
        rules: {
          policies: {
            p: {
              condition: {
                exprKind: { case: 'constExpr', value: { constantKind: { case: 'stringValue', value: 'x' } } },
              },
            },
          },
        },
      },
      'policy "p": condition: is of type string',
    ],
    [{ rules: { policies: { p: { permissions: [{}] } } } }, 'policy "p": a permission of type none'],
  ] as const)('are refused where they cannot be served: %j', (init, reason) => {
    expect(() => foreignFilter(init)).toThrow(reason)
  })

  it('are refused when they are something else', () => {
    const other = { configType: { case: 'typedConfig', value: typedConfig(NetworkRbacSchema, {}) } }
    expect(() => decodeAuthorization(other)).toThrow('expected a envoy.extensions.filters.http.rbac.v3.RBAC')
    expect(() => decodeAuthorization({ configType: { case: undefined } })).toThrow('got nothing')
  })
})

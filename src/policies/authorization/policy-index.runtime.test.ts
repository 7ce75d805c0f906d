// The index finds what looking at every policy would find.
import * as fc from 'fast-check'
import { expect, it } from 'vitest'

import type { FilteredRequest, PeerFacts } from '../../contracts/http-filter.ts'
import { HeaderList } from '../../core/header-list.ts'
import type { Permission, Principal, RbacPolicy } from './authorization.spec.ts'
import { createPolicyIndex } from './policy-index.runtime.ts'
import { compileRule } from './rule-test.runtime.ts'
import type { Rule } from './rule-test.runtime.ts'

const texts = ['/', '/a', '/a/', '/a/b', '/ab', '/b', '/b/a']
const ids = [
  'spiffe://a/ns/b/sa/c',
  'spiffe://a/ns/b/sa/d',
  'spiffe://a/ns/c/sa/c',
  'spiffe://b/ns/b/sa/c',
  'spiffe://b/ns',
  'x',
]
const peer: PeerFacts = {
  principal: undefined,
  address: '192.0.2.1',
  port: 40_000,
  remoteAddress: '192.0.2.1',
  localAddress: '192.0.2.2',
  localPort: 80,
  sni: undefined,
}

const path: fc.Arbitrary<Permission> = fc
  .record({ kind: fc.constantFrom('exact', 'exact', 'prefix', 'suffix'), value: fc.constantFrom(...texts) })
  .map(({ kind, value }) => ({ kind: 'path' as const, match: { kind, value, ignoreCase: false } }))
const template = fc
  .constantFrom('/a/*', '/a/**', '/*/b', '/**')
  .map((text): Permission => ({ kind: 'template', template: text }))
const method = fc.constant<Permission>({
  kind: 'header',
  name: ':method',
  match: { kind: 'exact', value: 'GET', ignoreCase: false },
})
const { permission } = fc.letrec<{ permission: Permission }>((tie) => ({
  permission: fc.oneof(
    { depthSize: 'small' },
    path,
    template,
    method,
    fc.record({
      kind: fc.constantFrom('and', 'or'),
      rules: fc.array(tie('permission'), { maxLength: 3 }),
    }) as fc.Arbitrary<Permission>,
    fc.record({ kind: fc.constant('not'), rule: tie('permission') }) as fc.Arbitrary<Permission>,
  ),
}))
const principal: fc.Arbitrary<Principal> = fc.oneof(
  fc
    .record({ kind: fc.constantFrom('exact', 'exact', 'prefix'), value: fc.constantFrom(...ids) })
    .map(({ kind, value }) => ({ kind: 'authenticated' as const, match: { kind, value, ignoreCase: false } })),
  fc.constant<Principal>({ kind: 'any' }),
  fc.constantFrom<Principal[]>(
    { kind: 'workload', namespace: 'b', serviceAccount: undefined },
    { kind: 'workload', namespace: 'b', serviceAccount: 'c' },
    { kind: 'workload', namespace: 'c', serviceAccount: 'c' },
  ),
)
const policy = fc.record({
  name: fc.constant('p'),
  permissions: fc.array(permission, { maxLength: 2 }),
  principals: fc.array(principal, { maxLength: 2 }),
}) as fc.Arbitrary<RbacPolicy>

function request(text: string, verb: string, from: PeerFacts): FilteredRequest {
  const head = { method: verb, scheme: 'http' as const, authority: 'a', path: text, headers: HeaderList.of() }
  return { head, path: text, peer: from, body: undefined, token: undefined, authorization: undefined }
}

function holds(rules: readonly Rule[], from: PeerFacts, asked: FilteredRequest): boolean {
  return rules.some((rule) => compileRule(rule, new Map())(from, asked))
}

it('finds every match, in order', () => {
  fc.assert(
    fc.property(
      fc.array(policy, { maxLength: 40 }),
      fc.constantFrom(...texts, '/c', '*'),
      fc.constantFrom('GET', 'PUT'),
      fc.constantFrom(...ids, undefined),
      (policies, text, verb, id) => {
        const from = { ...peer, principal: id }
        const asked = request(text, verb, from)
        const expected = policies.flatMap(({ permissions, principals }, order) =>
          holds(permissions, from, asked) && holds(principals, from, asked) ? [order] : [],
        )
        const index = createPolicyIndex(policies, () => undefined)
        const found: number[] = []
        for (let at = index.first(from, asked, -1); at !== undefined; at = index.first(from, asked, at.order))
          found.push(at.order)
        expect(found).toEqual(expected)
      },
    ),
    { numRuns: 2_000 },
  )
})

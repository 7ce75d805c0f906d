import * as fc from 'fast-check'
import { expect, it } from 'vitest'

import type { GrpcMethodMatch } from '../../policies/route-match/grpc-match.schema.ts'
import type { ValueMatchSpec } from '../../policies/route-match/route-match.spec.ts'
import { inOrderOfPrecedence } from './precedence.ts'
import type { RankedRoute } from './precedence.ts'

interface Given {
  readonly path?: readonly [kind: 'exact' | 'prefix' | 'regex', value: string]
  readonly method?: string
  readonly grpc?: Partial<GrpcMethodMatch>
  readonly headers?: number
  readonly query?: number
  readonly created?: string
  readonly document?: string
  readonly order?: number
}

function values(count: number): ValueMatchSpec[] {
  return Array.from({ length: count }, (_, index) => ({ name: `n${index}`, kind: 'exact', value: 'v' }))
}

function ranked(name: string, given: Given): RankedRoute {
  const { path = ['prefix', '/'], method, grpc, headers = 0, query = 0, created, document = 'ns/a', order = 0 } = given
  return {
    route: {
      name,
      source: { document: name },
      match: {
        path: { kind: path[0], value: path[1] },
        ...(method === undefined ? {} : { method }),
        headers: values(headers),
        queryParams: values(query),
      },
      action: { kind: 'invalid', status: 500 },
    },
    document,
    ...(created === undefined ? {} : { creationTimestamp: created }),
    ...(grpc === undefined ? {} : { grpc }),
    order,
  }
}

// Gateway API, HTTPRouteRule.matches: each of these beats all after it
const inOrder = [
  ranked('exact path', { path: ['exact', '/a'] }),
  ranked('regular expression', { path: ['regex', '/.*'], headers: 9 }),
  ranked('longest prefix', { path: ['prefix', '/long'] }),
  ranked('shorter prefix', { path: ['prefix', '/lo'], method: 'GET', headers: 9, query: 9 }),
  ranked('method', { method: 'GET' }),
  ranked('most headers', { headers: 2 }),
  ranked('fewer headers', { headers: 1, query: 9 }),
  ranked('most query parameters', { query: 2, document: 'ns/z', order: 9 }),
  ranked('fewer query parameters', { query: 1 }),
  ranked('oldest', { created: '2025-01-01T00:00:00Z', document: 'ns/z', order: 9 }),
  ranked('younger', { created: '2026-01-01T00:00:00Z', document: 'ns/z', order: 9 }),
  ranked('without age, first name', { document: 'a/z', order: 9 }),
  ranked('without age, second name', { document: 'b/a', order: 1 }),
  ranked('later rule', { document: 'b/a', order: 2 }),
]

it('follows the Gateway API, whatever order the routes come in', () => {
  const names = inOrder.map((one) => one.route.name)
  fc.assert(
    fc.property(fc.shuffledSubarray(inOrder, { minLength: inOrder.length }), (shuffled) => {
      expect(inOrderOfPrecedence(shuffled).map((route) => route.name)).toEqual(names)
    }),
  )
})

it('orders matches of gRPC methods by service, method and headers', () => {
  const expected = [
    ranked('longer service', { grpc: { service: 'shop.CartItems' } }),
    ranked('longer method', { grpc: { service: 'shop.Cart', method: 'AddAll' } }),
    ranked('method with headers', { grpc: { service: 'shop.Cart', method: 'Add' }, headers: 1 }),
    ranked('method', { grpc: { type: 'Exact', service: 'shop.Cart', method: 'Add' } }),
    ranked('expression', { grpc: { type: 'RegularExpression', service: 'shop.Cart', method: 'Add' } }),
    ranked('service with headers', { grpc: { service: 'shop.Cart' }, headers: 2 }),
    ranked('service', { grpc: { service: 'shop.Cart' } }),
    ranked('only a method', { grpc: { method: 'Add' }, headers: 9 }),
    ranked('headers', { grpc: {}, headers: 1 }),
    ranked('older', { grpc: {}, created: '2026-01-01T00:00:00Z', document: 'ns/z' }),
    ranked('everything', { grpc: {} }),
  ]
  expect(inOrderOfPrecedence(expected.toReversed()).map(({ name }) => name)).toEqual(
    expected.map(({ route }) => route.name),
  )
})

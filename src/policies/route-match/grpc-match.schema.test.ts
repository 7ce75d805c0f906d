import { expect, it } from 'vitest'

import type { RequestHead } from '../../contracts/http-message.ts'
import { HeaderList } from '../../core/header-list.ts'
import { grpcRouteMatchSchema, toGrpcRouteMatchSpec } from './grpc-match.schema.ts'
import { compileRouteMatch, createMatchInput } from './route-match.runtime.ts'

function matches(match: unknown, path: string): boolean {
  const head: RequestHead = { method: 'POST', scheme: 'http', authority: 'a', path, headers: HeaderList.of() }
  return compileRouteMatch(toGrpcRouteMatchSpec(grpcRouteMatchSchema.parse(match)))(createMatchInput(head))
}

it.each([
  [{ service: 'shop.Cart', method: 'Add' }, '/shop.Cart/Add', true],
  [{ service: 'shop.Cart', method: 'Add' }, '/shop.Cart/AddAll', false],
  [{ service: 'shop.Cart', method: 'Add' }, '/shop.cart/Add', false],
  [{ service: 'shop.Cart' }, '/shop.Cart/Add', true],
  [{ service: 'shop.Cart' }, '/shop.CartV2/Add', false],
  [{ service: 'shop.Cart' }, '/shop.Cart', false],
  [{ service: 'shop.Cart', method: '' }, '/shop.Cart/Add', true],
  [{ method: 'Add' }, '/shop.Cart/Add', true],
  [{ method: 'Add' }, '/shop.Cart/AddAll', false],
  [{ method: 'Add' }, '/shop.Cart/v1/Add', false],
  [{ type: 'RegularExpression', service: String.raw`shop\..+`, method: 'Add|Drop' }, '/shop.Cart/Drop', true],
  [{ type: 'RegularExpression', service: String.raw`shop\..+`, method: 'Add|Drop' }, '/shop.Cart/DropAll', false],
  [{ type: 'RegularExpression', service: 'a|b', method: 'X' }, '/a', false],
  [{ type: 'RegularExpression', service: 'a|b' }, '/b/Any', true],
  [{ type: 'RegularExpression', method: 'Get.*' }, '/shop.Cart/GetAll', true],
])('%j on %s: %s', (method, path, expected) => {
  expect(matches({ method }, path)).toBe(expected)
})

it('matches every method when it names none', () => {
  expect(matches({}, '/shop.Cart/Add')).toBe(true)
})

it('takes headers as they are in an HTTPRoute', () => {
  const match = grpcRouteMatchSchema.parse({ headers: [{ name: 'X-Tenant', type: 'RegularExpression', value: 'a.*' }] })
  expect(toGrpcRouteMatchSpec(match).headers).toEqual([{ name: 'x-tenant', kind: 'regex', value: 'a.*' }])
})

it.each([
  [{}],
  [{ service: '', method: '' }],
  [{ service: 'a b' }],
  [{ service: 'a.' }],
  [{ method: 'Say.It' }],
  [{ type: 'RegularExpression', service: '(' }],
  [{ type: 'RegularExpression', method: '^Say' }],
  [{ type: 'RegularExpression', method: 'Say$' }],
  [{ type: 'RegularExpression', method: '(?=a)' }],
  [{ type: 'Prefix', service: 'a' }],
])('refuses %j', (method) => {
  expect(grpcRouteMatchSchema.safeParse({ method }).success).toBe(false)
})

import { expect, it } from 'vitest'

import { routeMatchSchema, toRouteMatchSpec } from './route-match.schema.ts'

it('matches every path by default', () => {
  expect(toRouteMatchSpec(routeMatchSchema.parse({}))).toEqual({
    path: { kind: 'prefix', value: '/' },
    headers: [],
    queryParams: [],
  })
})

it('folds the case of header names, not of query parameters', () => {
  const match = routeMatchSchema.parse({
    method: 'GET',
    headers: [{ name: 'X-User', value: 'A' }],
    queryParams: [{ name: 'Animal', value: 'w.*', type: 'RegularExpression' }],
  })
  expect(toRouteMatchSpec(match)).toMatchObject({
    method: 'GET',
    headers: [{ name: 'x-user', kind: 'exact', value: 'A' }],
    queryParams: [{ name: 'Animal', kind: 'regex', value: 'w.*' }],
  })
})

it.each([
  [{ value: '/a/' }, { kind: 'prefix', value: '/a' }],
  [{ value: '/' }, { kind: 'prefix', value: '/' }],
  [
    { type: 'Exact', value: '/a/' },
    { kind: 'exact', value: '/a/' },
  ],
  [
    { type: 'Exact', value: '/%20~!' },
    { kind: 'exact', value: '/%20~!' },
  ],
  [
    { type: 'RegularExpression', value: '/v[0-9]+' },
    { kind: 'regex', value: '/v[0-9]+' },
  ],
])('translates the path %j', (path, spec) => {
  expect(toRouteMatchSpec(routeMatchSchema.parse({ path })).path).toEqual(spec)
})

it.each(['', 'a', '/a//b', '/./a', '/a/..', '/a%2Fb', '/a#b', '/a?b', '/a b', '/%zz', '/ä'])(
  'refuses the path "%s"',
  (value) => {
    expect(routeMatchSchema.safeParse({ path: { value } }).success).toBe(false)
  },
)

it.each(['(', '(?=a)', '(?<!a)b', '(a)\\1'])('refuses the regular expression "%s"', (value) => {
  expect(routeMatchSchema.safeParse({ path: { type: 'RegularExpression', value } }).success).toBe(false)
})

import { expect, it } from 'vitest'

import { corsSchema, toCorsSpec } from './cors.schema.ts'

it('fills in defaults, five seconds of age among them', () => {
  expect(toCorsSpec(corsSchema.parse({ allowOrigins: ['https://*.shop.example:8443'] }))).toEqual({
    allowOrigins: ['https://*.shop.example:8443'],
    allowCredentials: false,
    allowMethods: [],
    allowHeaders: [],
    exposeHeaders: [],
    maxAgeSeconds: 5,
  })
})

it.each([
  ['an origin without scheme', { allowOrigins: ['shop.example'] }],
  ['an origin with a path', { allowOrigins: ['https://shop.example/'] }],
  ['a wildcard beside others', { allowMethods: ['*', 'GET'] }],
  ['an unknown method', { allowMethods: ['FETCH'] }],
  ['an age of nothing', { maxAge: 0 }],
])('refuses %s', (_what, filter) => {
  expect(corsSchema.safeParse(filter).success).toBe(false)
})

import { expect, it } from 'vitest'

import { requestRedirectSchema, toRedirectSpec } from './redirect.schema.ts'

it('answers 302 unless told otherwise', () => {
  expect(toRedirectSpec(requestRedirectSchema.parse({}))).toEqual({ statusCode: 302 })
})

it('translates every part', () => {
  const filter = requestRedirectSchema.parse({
    scheme: 'https',
    hostname: 'example.org',
    port: 8443,
    statusCode: 308,
    path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/new' },
  })
  expect(toRedirectSpec(filter)).toEqual({
    scheme: 'https',
    hostname: 'example.org',
    port: 8443,
    statusCode: 308,
    path: { kind: 'prefix', value: '/new' },
  })
})

it.each([[{ statusCode: 304 }], [{ statusCode: '301' }], [{ scheme: 'ftp' }], [{ port: 65536 }]])(
  'refuses %j',
  (filter) => {
    expect(requestRedirectSchema.safeParse(filter).success).toBe(false)
  },
)

import { expect, it } from 'vitest'

import { forwardedHeadersSchema, toForwardedHeadersSpec } from './forwarded-headers.schema.ts'

const silent = { appendForwardedFor: false, forwardedHeader: false, via: undefined, trustedHops: 0 }

it("adds the caller's address at gateways unless told otherwise", () => {
  const settings = forwardedHeadersSchema.parse({})
  expect(toForwardedHeadersSpec(settings, 'gateway')).toEqual({ ...silent, appendForwardedFor: true })
  expect(toForwardedHeadersSpec(settings, 'sidecar')).toEqual(silent)
})

it('trusts proxies in front of gateways only', () => {
  const settings = forwardedHeadersSchema.parse({
    xForwardedFor: 'all',
    forwarded: 'gateways',
    via: 'heddle',
    numTrustedProxies: 2,
  })
  expect(toForwardedHeadersSpec(settings, 'gateway')).toEqual({
    appendForwardedFor: true,
    forwardedHeader: true,
    via: 'heddle',
    trustedHops: 2,
  })
  expect(toForwardedHeadersSpec(settings, 'sidecar')).toEqual({ ...silent, appendForwardedFor: true, via: 'heddle' })
})

it.each([{ via: 'two words' }, { via: '' }, { xForwardedFor: true }, { numTrustedProxies: -1 }])(
  'refuses %j',
  (settings) => {
    expect(forwardedHeadersSchema.safeParse(settings).success).toBe(false)
  },
)

// Which rule decides how many traces are sampled, of requests as a proxy first sees them.
import { expect, it } from 'vitest'

import { HeaderList } from '../../core/header-list.ts'
import { compileSamplingRules } from './sampling-rules.runtime.ts'
import type { BegunRequest } from './sampling-rules.runtime.ts'

const begun: BegunRequest = {
  reporter: 'source',
  proxy: 'shop/storefront',
  mtls: false,
  listener: 'outbound',
  request: {
    method: 'POST',
    authority: 'checkout:8080',
    path: '/checkout?coupon=1',
    protocol: 'HTTP/1.1',
    headers: HeaderList.of(['X-Tenant', 'blue'], ['x-tenant', 'green'], ['user-agent', 'curl/8']),
  },
  source: {
    workload: 'shop/storefront',
    principal: 'spiffe://mesh.local/ns/shop/sa/storefront',
    address: '127.0.0.1:1',
  },
}

function percent(...rules: readonly string[]): number | undefined {
  return compileSamplingRules(rules.map((matches, index) => ({ matches, samplingPercent: index + 1 })))(begun)
}

it.each([
  ['request.path.startsWith("/checkout")', true],
  ['request.path.matches("^/check(in|out)")', true],
  ['request.method == "POST" && request.authority == "checkout:8080"', true],
  ['request.headers["x-tenant"] == "blue,green"', true],
  ['"user-agent" in request.headers', true],
  ['request.headers["x-nobody"] == "blue"', false],
  ['source.principal.endsWith("/sa/storefront") && !mtls', true],
  ['source.workload == "shop/cart"', false],
  ['reporter == "gateway" || listener == "outbound"', true],
])('%s matches: %s', (matches, expected) => {
  expect(percent(matches)).toBe(expected ? 1 : undefined)
})

it('is the first that matches', () => {
  expect(percent('request.method == "GET"', 'request.method == "POST"', 'true')).toBe(2)
})

it('passes over a rule about what the request does not have', () => {
  const { source } = begun
  const rules = compileSamplingRules([
    { matches: 'source.workload == "shop/cart" || source.principal == ""', samplingPercent: 1 },
    { matches: 'source.address != ""', samplingPercent: 2 },
  ])
  expect(rules({ ...begun, source: { ...source, workload: undefined, principal: undefined } })).toBe(2)
})

it('refuses what is no condition', () => {
  expect(() => compileSamplingRules([{ matches: '(', samplingPercent: 1 }])).toThrow('sampling rule')
})

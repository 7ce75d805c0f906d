import { describe, expect, it } from 'vitest'

import { HeaderList } from '../../core/header-list.ts'
import { type Caller, defaultForwarding, markForwarded, stripMeshHeaders } from './forwarded-headers.runtime.ts'
import type { ForwardedHeadersSpec } from './forwarded-headers.spec.ts'

type Lines = readonly (readonly [string, string])[]

function mark(
  direction: 'inbound' | 'outbound' | 'gateway',
  changes: Partial<ForwardedHeadersSpec>,
  lines: Lines = [],
  caller: Partial<Caller> = {},
): Record<string, string> {
  const headers = HeaderList.of(...lines)
  const request = { method: 'GET', scheme: 'http' as const, authority: 'shop.example:80', path: '/', headers }
  const from = { address: '192.0.2.7', protocol: 'HTTP/1.1', secure: false, ...caller }
  markForwarded(request, from, { ...defaultForwarding[direction], ...changes }, direction)
  return Object.fromEntries([...headers].map(([name, value]) => [name.toLowerCase(), value]))
}

describe('a gateway', () => {
  it("says the caller's address and protocol", () => {
    expect(mark('gateway', {})).toEqual({ 'x-forwarded-for': '192.0.2.7', 'x-forwarded-proto': 'http' })
    expect(mark('gateway', {}, [], { secure: true, address: '2001:db8::1' })).toEqual({
      'x-forwarded-for': '2001:db8::1',
      'x-forwarded-proto': 'https',
    })
    expect(mark('gateway', {}, [], { address: '::ffff:192.0.2.9' })['x-forwarded-for']).toBe('192.0.2.9')
  })

  const claims: Lines = [
    ['X-Forwarded-For', '6.6.6.6, 198.51.100.1'],
    ['x-forwarded-for', '10.0.0.1'],
    ['X-Forwarded-Proto', 'https'],
    ['x-forwarded-host', 'evil.example'],
    ['x-real-ip', '6.6.6.6'],
    ['Forwarded', 'for=6.6.6.6, for=10.0.0.1'],
    ['X-Envoy-Expected-Rq-Timeout-Ms', '1'],
  ]

  it('believes nothing when nobody is in front of it', () => {
    expect(mark('gateway', {}, claims)).toEqual({ 'x-forwarded-for': '192.0.2.7', 'x-forwarded-proto': 'http' })
  })

  it('believes what the trusted proxies in front have written, and nothing before', () => {
    const one = mark('gateway', { trustedHops: 1 }, claims)
    expect(one['x-forwarded-for']).toBe('10.0.0.1, 192.0.2.7')
    expect(one['forwarded']).toBe('for=10.0.0.1')
    expect(one['x-forwarded-proto']).toBe('https')
    expect(one['x-envoy-expected-rq-timeout-ms']).toBe('1')
    expect(one['x-forwarded-host']).toBe('evil.example')
    const two = mark('gateway', { trustedHops: 2 }, claims)
    expect(two['x-forwarded-for']).toBe('198.51.100.1, 10.0.0.1, 192.0.2.7')
    expect(mark('gateway', { trustedHops: 9 }, claims)['x-forwarded-for']).toBe(
      '6.6.6.6, 198.51.100.1, 10.0.0.1, 192.0.2.7',
    )
  })
})

describe('by setting', () => {
  it('Forwarded names caller, host and protocol', () => {
    expect(mark('gateway', { forwardedHeader: true })['forwarded']).toBe(
      'for=192.0.2.7;host="shop.example:80";proto=http',
    )
    const v6 = mark('outbound', { forwardedHeader: true }, [['forwarded', 'for=a']], { address: '2001:db8::1' })
    expect(v6['forwarded']).toBe('for=a, for="[2001:db8::1]";host="shop.example:80";proto=http')
  })

  it('Via names the version that the request came by', () => {
    expect(mark('inbound', { via: 'heddle' }, [['Via', '1.0 first']], { protocol: 'HTTP/2' })['via']).toBe(
      '1.0 first, 2 heddle',
    )
  })

  it('an outbound proxy appends the address too', () => {
    expect(mark('outbound', {})['x-forwarded-for']).toBeUndefined()
    expect(mark('outbound', { appendForwardedFor: true }, [['x-forwarded-for', 'a']])['x-forwarded-for']).toBe(
      'a, 192.0.2.7',
    )
  })
})

it('an inbound proxy keeps what the first proxy said', () => {
  expect(mark('inbound', {}, [['x-forwarded-proto', 'https']], { secure: true })).toEqual({
    'x-forwarded-proto': 'https',
  })
  expect(mark('inbound', {}, [], { secure: true })).toEqual({})
})

it('nobody outside speaks for a proxy of the mesh', () => {
  const headers = HeaderList.of(
    ['X-Heddle-Unprocessed', '1'],
    ['x-other', '1'],
    ['x-heddle-unprocessed', '2'],
    ['X-Forwarded-Client-Cert', 'By=a'],
    ['x-heddle-source', 'b'],
    ['x-heddler', 'kept'],
    ['x-forwarded-client-cert', 'By=b'],
  )
  stripMeshHeaders(headers)
  expect([...headers].map(([name]) => name)).toEqual(['x-other', 'x-heddler'])
})

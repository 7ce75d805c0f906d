import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import type { FilteredRequest, FilterResult } from '../../contracts/http-filter.ts'
import { HeaderList } from '../../core/header-list.ts'
import { globalRateLimitFilter } from './global-rate-limit.runtime.ts'
import type { AskRateLimit, GlobalRateLimitSpec, RateLimitAnswer, RateLimitQuestion } from './rate-limit.spec.ts'

const spec: GlobalRateLimitSpec = {
  name: 'TrafficPolicy/default/reviews',
  domain: 'shop',
  server: { cluster: 'limits', timeoutMs: 100, failureModeDeny: false, statusOnError: 503 },
  descriptors: [
    [{ key: 'caller', by: { kind: 'caller' } }],
    [
      { key: 'tier', constant: 'free' },
      { key: 'tenant', by: { kind: 'header', name: 'x-tenant' } },
    ],
  ],
}
const within: RateLimitAnswer = {
  limited: false,
  reached: undefined,
  responseHeaders: [],
  requestHeaders: [],
  body: '',
}

function request(principal: string | undefined, ...headers: [name: string, value: string][]): FilteredRequest {
  return {
    head: { method: 'GET', scheme: 'http', authority: 'a', path: '/', headers: HeaderList.of(...headers) },
    path: '/',
    peer: {
      principal,
      address: '10.0.0.1',
      port: 40000,
      remoteAddress: '10.0.0.1',
      localAddress: '',
      localPort: 80,
      sni: undefined,
    },
    body: undefined,
    token: undefined,
    authorization: undefined,
  }
}

function asking(ask: AskRateLimit, server: Partial<GlobalRateLimitSpec['server']> = {}) {
  const clock = new ManualClock()
  const counts: string[] = []
  const filter = globalRateLimitFilter(
    { ...spec, server: { ...spec.server, ...server } },
    { clock, ask, countRateLimit: () => (verdict) => void counts.push(verdict) },
  )
  const apply = (one: FilteredRequest): Promise<FilterResult> => Promise.resolve(filter.apply(one))
  return { clock, counts, filter, apply }
}

describe('a global rate limit', () => {
  it('asks about what the request has, and about nothing when it has none', async () => {
    const questions: RateLimitQuestion[] = []
    const { apply, counts, filter } = asking((question) => {
      questions.push(question)
      return Promise.resolve(within)
    })
    expect(await apply(request('spiffe://m/ns/a/sa/b', ['X-Tenant', 't']))).toBeUndefined()
    expect(await apply(request('spiffe://m/ns/a/sa/b'))).toBeUndefined()
    expect(filter.apply(request(undefined))).toBeUndefined()
    const caller = [{ key: 'caller', value: 'spiffe://m/ns/a/sa/b' }]
    const tenant = [
      { key: 'tier', value: 'free' },
      { key: 'tenant', value: 't' },
    ]
    expect(questions).toEqual([
      { domain: 'shop', descriptors: [caller, tenant] },
      { domain: 'shop', descriptors: [caller] },
    ])
    expect(counts).toEqual(['allowed', 'allowed'])
  })

  it('refuses as the server says', async () => {
    const reached = { name: 'per-tenant', requests: 5, windowSeconds: 60, resetSeconds: 12 }
    const { apply, counts } = asking(() =>
      Promise.resolve({
        ...within,
        limited: true,
        reached,
        responseHeaders: ['x-left', '0', 'content-length', '9', 'bad name', '', 'x-split', 'a\r\nb'],
      }),
    )
    const beyond = request('a')
    expect(await apply(beyond)).toEqual({
      status: 429,
      grpcStatus: 8,
      flags: ['RL'],
      detail: 'more requests than the rate limit "per-tenant" allows: try again in 12 s',
      headers: [
        'ratelimit-policy',
        '"per-tenant";q=5;w=60',
        'ratelimit',
        '"per-tenant";r=0;t=12',
        'retry-after',
        '12',
        'x-left',
        '0',
      ],
    })
    expect(beyond.rateLimit).toEqual({ limit: 'TrafficPolicy/default/reviews', enforced: true })
    expect(counts).toEqual(['limited'])
  })

  it('refuses in the server’s words, and says no more than it knows', async () => {
    const { apply } = asking(() => Promise.resolve({ ...within, limited: true, body: 'slow down' }))
    expect(await apply(request('a'))).toEqual({
      status: 429,
      grpcStatus: 8,
      flags: ['RL'],
      detail: 'slow down',
      headers: ['ratelimit', '"shop";r=0'],
    })
  })

  it('adds the headers that the server wants', async () => {
    const answer = { ...within, requestHeaders: ['x-tier', 'free', 'host', 'b'], responseHeaders: ['x-left', '4'] }
    const { apply } = asking(() => Promise.resolve(answer))
    const one = request('a', ['x-tier', 'forged'])
    expect(await apply(one)).toBeUndefined()
    expect([...one.head.headers]).toEqual([['x-tier', 'free']])
    expect(one.ownedHeaders).toEqual(['x-tier'])
    expect(one.responseHeaders).toEqual(['x-left', '4'])
  })

  it('lets pass what nobody answers about', async () => {
    const { apply, counts } = asking(() => Promise.reject(new Error('away')))
    expect(await apply(request('a'))).toBeUndefined()
    expect(counts).toEqual(['failed'])
  })

  it('refuses it where the provider says so, and waits no longer than it may', async () => {
    let waiting: AbortSignal | undefined
    const { apply, clock, counts } = asking(
      (_, signal) => {
        waiting = signal
        return new Promise(() => {})
      },
      { failureModeDeny: true },
    )
    const result = apply(request('a'))
    clock.advance(99)
    expect(waiting?.aborted).toBe(false)
    clock.advance(1)
    expect(await result).toEqual({ status: 503, flags: ['RLSE'], detail: 'no answer from the rate limit server' })
    expect(waiting?.aborted).toBe(true)
    expect(counts).toEqual(['failed'])
  })
})

import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import type { FilteredRequest, FilterResult, HttpFilter, VerifiedToken } from '../../contracts/http-filter.ts'
import { HeaderList } from '../../core/header-list.ts'
import { createRandom } from '../../core/random.ts'
import { LimitBuckets } from './limit-buckets.runtime.ts'
import { localRateLimitFilter } from './local-rate-limit.runtime.ts'
import type { DescriptorEntrySpec, LocalRateLimitSpec } from './rate-limit.spec.ts'

interface Sent {
  readonly principal?: string
  readonly address?: string
  readonly method?: string
  readonly path?: string
  readonly headers?: readonly [name: string, value: string][]
  readonly claims?: VerifiedToken['claims']
}

function request({
  principal,
  address = '10.0.0.1',
  method = 'GET',
  path = '/',
  headers = [],
  claims,
}: Sent = {}): FilteredRequest {
  return {
    head: { method, scheme: 'http', authority: 'a', path: `${path}?q=1`, headers: HeaderList.of(...headers) },
    path,
    peer: {
      principal,
      address,
      port: 40000,
      remoteAddress: address,
      localAddress: '10.0.0.2',
      localPort: 80,
      sni: undefined,
    },
    body: undefined,
    token: claims === undefined ? undefined : { issuer: 'i', subject: 's', audiences: [], claims },
    authorization: undefined,
  }
}

function limited(changes: Partial<LocalRateLimitSpec> = {}) {
  const clock = new ManualClock()
  const counts: Record<string, number> = {}
  const spec: LocalRateLimitSpec = {
    name: 'TrafficPolicy/default/reviews/per-caller',
    tokenBucket: { maxTokens: 1, tokensPerFill: 1, fillIntervalMs: 10_000 },
    descriptor: [],
    enforcedShare: 1_000_000,
    ...changes,
  }
  const buckets = new LimitBuckets(1)
  const filter: HttpFilter = localRateLimitFilter(spec, {
    clock,
    random: createRandom(7),
    bucketsOf: (one) => buckets.of(one),
    countRateLimit: (limit) => (verdict) => {
      counts[`${limit} ${verdict}`] = (counts[`${limit} ${verdict}`] ?? 0) + 1
    },
  })
  const passes = (sent?: Sent): boolean => filter.apply(request(sent)) === undefined
  return { clock, counts, filter, passes }
}

function by(...entries: readonly DescriptorEntrySpec[]): Partial<LocalRateLimitSpec> {
  return { descriptor: entries }
}

function of(tenant: unknown): Sent {
  return { claims: { realm: { tenant } } }
}

function entry(name: string): DescriptorEntrySpec {
  return { key: name, by: { kind: 'header', name } }
}

describe('a local rate limit', () => {
  it('refuses what is beyond it, and says until when', () => {
    const { clock, counts, filter, passes } = limited()
    expect(passes()).toBe(true)
    clock.advance(2_500)
    const beyond = request()
    expect(filter.apply(beyond) as FilterResult).toEqual({
      status: 429,
      grpcStatus: 8,
      flags: ['RL'],
      detail: 'more requests than the rate limit "per-caller" allows: try again in 8 s',
      headers: ['ratelimit-policy', '"per-caller";q=1;w=10', 'ratelimit', '"per-caller";r=0;t=8', 'retry-after', '8'],
    })
    expect(beyond.rateLimit).toEqual({ limit: 'TrafficPolicy/default/reviews/per-caller', enforced: true })
    clock.advance(7_500)
    expect(passes()).toBe(true)
    expect(counts).toEqual({
      'TrafficPolicy/default/reviews/per-caller allowed': 2,
      'TrafficPolicy/default/reviews/per-caller limited': 1,
    })
  })

  it('tells those within it what is left, where it is to', () => {
    const { clock, filter } = limited({
      tokenBucket: { maxTokens: 3, tokensPerFill: 1, fillIntervalMs: 1_000 },
      announced: true,
    })
    const told = (): readonly string[] | undefined => {
      const one = request()
      expect(filter.apply(one)).toBeUndefined()
      return one.responseHeaders
    }
    expect(told()).toEqual(['ratelimit-policy', '"per-caller";q=3;w=3', 'ratelimit', '"per-caller";r=2'])
    told()
    clock.advance(1_500)
    expect(told()?.at(-1)).toBe('"per-caller";r=1')
  })

  it('counts by caller, and all without an identity together', () => {
    const { passes } = limited(by({ key: 'caller', by: { kind: 'caller' } }))
    expect([passes({ principal: 'a' }), passes({ principal: 'b' }), passes({ principal: 'a' })]).toEqual([
      true,
      true,
      false,
    ])
    expect([passes({ address: '10.0.0.3' }), passes({ address: '10.0.0.4' })]).toEqual([true, false])
  })

  it('counts by header, and not what has none', () => {
    const { passes } = limited(by({ key: 'tenant', by: { kind: 'header', name: 'x-tenant' } }))
    expect(passes({ headers: [['X-Tenant', 'a']] })).toBe(true)
    expect(passes({ headers: [['x-tenant', 'b']] })).toBe(true)
    expect(passes({ headers: [['x-tenant', 'a']] })).toBe(false)
    expect([passes(), passes(), passes()]).toEqual([true, true, true])
  })

  it('counts one value alone where the limit names it', () => {
    const { passes } = limited(by({ key: 'tenant', by: { kind: 'header', name: 'x-tenant' }, value: 'free' }))
    expect([passes({ headers: [['x-tenant', 'free']] }), passes({ headers: [['x-tenant', 'free']] })]).toEqual([
      true,
      false,
    ])
    expect([passes({ headers: [['x-tenant', 'gold']] }), passes({ headers: [['x-tenant', 'gold']] })]).toEqual([
      true,
      true,
    ])
  })

  it('counts by method, path without query, and address', () => {
    const { passes } = limited(
      by(
        { key: 'method', by: { kind: 'method' } },
        { key: 'path', by: { kind: 'path' } },
        { key: 'remote_address', by: { kind: 'address' } },
      ),
    )
    expect(passes()).toBe(true)
    expect(passes()).toBe(false)
    expect(passes({ method: 'PUT' })).toBe(true)
    expect(passes({ path: '/b' })).toBe(true)
    expect(passes({ address: '10.0.0.9' })).toBe(true)
    expect(passes({ address: '10.0.0.9' })).toBe(false)
  })

  it('counts by a claim of a verified token', () => {
    const { passes } = limited(by({ key: 'realm.tenant', by: { kind: 'claim', path: ['realm', 'tenant'] } }))
    expect([passes(of('a')), passes(of('b')), passes(of('a'))]).toEqual([true, true, false])
    expect([passes(of(7)), passes(of(7))]).toEqual([true, false])
    for (const other of [{}, of(['a']), of(null), { claims: {} }, { claims: { realm: 'a' } }])
      expect([passes(other), passes(other)]).toEqual([true, true])
  })

  it('does not mistake two values for another two', () => {
    const { passes } = limited(by(entry('a'), entry('b')))
    expect(
      passes({
        headers: [
          ['a', 'x1:y'],
          ['b', 'z'],
        ],
      }),
    ).toBe(true)
    expect(
      passes({
        headers: [
          ['a', 'x'],
          ['b', 'y1:z'],
        ],
      }),
    ).toBe(true)
    expect(
      passes({
        headers: [
          ['a', 'x'],
          ['b', 'y1:z'],
        ],
      }),
    ).toBe(false)
  })

  it('refuses nobody in a dry run, and counts what it would have refused', () => {
    const { counts, filter, passes } = limited({ enforcedShare: 0 })
    expect([passes(), passes()]).toEqual([true, true])
    const beyond = request()
    expect(filter.apply(beyond)).toBeUndefined()
    expect(beyond.rateLimit?.enforced).toBe(false)
    expect(counts).toEqual({
      'TrafficPolicy/default/reviews/per-caller allowed': 1,
      'TrafficPolicy/default/reviews/per-caller dry_run': 2,
    })
  })

  it('refuses the share that is enforced', () => {
    const { passes } = limited({ enforcedShare: 250_000 })
    passes()
    let refused = 0
    for (let i = 0; i < 20_000; i++) if (!passes()) refused++
    expect(refused / 20_000).toBeCloseTo(0.25, 1)
  })
})

describe('the buckets of limits', () => {
  const spec: LocalRateLimitSpec = {
    name: 'a',
    tokenBucket: { maxTokens: 1, tokensPerFill: 1, fillIntervalMs: 1_000 },
    descriptor: [],
    enforcedShare: 1_000_000,
  }

  it('stay through changes of other things, and go with the limit', () => {
    const buckets = new LimitBuckets(1)
    const first = buckets.of(spec)
    expect(buckets.of({ ...spec, tokenBucket: { ...spec.tokenBucket }, enforcedShare: 0 })).toBe(first)
    expect(buckets.of({ ...spec, name: 'b' })).not.toBe(first)
    expect(buckets.of({ ...spec, tokenBucket: { ...spec.tokenBucket, maxTokens: 2 } })).not.toBe(first)
    buckets.keep([{ ...spec }])
    expect(buckets.of(spec)).toBe(first)
    buckets.keep([])
    expect(buckets.of(spec)).not.toBe(first)
  })
})

// Who gets requests by where it is, and what happens when a place cannot take them.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { balancedEndpoint } from '../../../test/kit/balanced-endpoints.ts'
import { ManualClock } from '../../../test/kit/manual-clock.ts'
import type { LoadBalancedEndpoint, LoadBalancer } from '../../contracts/load-balancer.ts'
import type { Locality } from '../../contracts/locality.ts'
import { createRandom } from '../../core/random.ts'
import { createLoadBalancer } from './load-balancing.runtime.ts'
import type { LoadBalancingSpec } from './load-balancing.spec.ts'
import { compileShares, type Share } from './localities.runtime.ts'

/** "region/zone/sub-zone", or less. */
function place(text: string): Locality {
  const [region = '', zone = '', subZone = ''] = text.split('/')
  return { region, zone, subZone }
}

let made = 0

/** So many endpoints at each place; of "eu/a 3/5" three of five are available. */
function endpointsAt(...places: string[]): LoadBalancedEndpoint[] {
  return places.flatMap((text) => {
    const [where = '', counts = '1'] = text.split(' ')
    const [available, count = available] = counts.split('/').map(Number) as [number, number?]
    return Array.from({ length: count ?? 1 }, (_, i) =>
      balancedEndpoint({ address: `10.0.0.${made++}:80`, locality: place(where), available: i < available }),
    )
  })
}

function balance(
  list: readonly LoadBalancedEndpoint[],
  own: string,
  changes: Partial<LoadBalancingSpec> = {},
): LoadBalancer {
  const spec = { kind: 'least-request', choiceCount: 2, locality: 'zone-aware', ...changes } as LoadBalancingSpec
  const deps = { clock: new ManualClock(), random: createRandom(3), locality: place(own) }
  return createLoadBalancer(list, spec, deps)
}

/** Share of the requests that each place gets, as measured. */
function measured(balancer: LoadBalancer, picks = 20_000): Record<string, number> {
  const counts: Record<string, number> = {}
  for (let i = 0; i < picks; i++) {
    const { locality } = balancer.pick() as LoadBalancedEndpoint
    const name = [locality?.region, locality?.zone, locality?.subZone].filter((part) => part !== '').join('/')
    counts[name] = (counts[name] ?? 0) + 1 / picks
  }
  return counts
}

function sharesOf(
  list: readonly LoadBalancedEndpoint[],
  own: string,
  locality: LoadBalancingSpec['locality'],
): Share<LoadBalancedEndpoint>[] {
  return compileShares(list, { locality, panicThresholdPercent: 50, own: place(own) })
}

describe('zone-aware', () => {
  it.each([
    ['zones of one size', ['eu/a 3', 'eu/b 3', 'eu/c 3']],
    ['an own zone that is larger', ['eu/a 5', 'eu/b 3', 'eu/c 1']],
    ['two endpoints', ['eu/a 1', 'eu/b 1']],
  ])('keeps at least 95 %% local with %s', (_, places) => {
    expect(measured(balance(endpointsAt(...places), 'eu/a'))['eu/a']).toBeGreaterThanOrEqual(0.95)
  })

  it('gives a small zone what it can take, and the rest to zones that have more than they need', () => {
    // each zone has to serve as much as four endpoints can
    const shares = measured(balance(endpointsAt('eu/a 2', 'eu/b 4', 'eu/c 6'), 'eu/a'))
    expect(shares['eu/a']).toBeCloseTo(0.5, 1)
    expect(shares['eu/c']).toBeCloseTo(0.5, 1)
    expect(shares['eu/b']).toBeUndefined()
  })

  it('loads all endpoints alike when callers are in each zone alike', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(sizes, (counts) => {
        const list = endpointsAt(...counts.map((count, zone) => `eu/${zone} ${count}`))
        const load = new Map(list.map((endpoint) => [endpoint, 0]))
        for (const zone of counts.keys())
          for (const { share, endpoints } of sharesOf(list, `eu/${zone}`, 'zone-aware'))
            for (const one of endpoints) load.set(one, (load.get(one) ?? 0) + share / endpoints.length / counts.length)
        for (const each of load.values()) expect(each * list.length).toBeCloseTo(1, 6)
      }),
    )
  })

  it('leaves the region only for what it cannot take', () => {
    const far = 'us/x 3'
    expect(measured(balance(endpointsAt('eu/b 2', far), 'eu/a'))).toEqual({ 'eu/b': expect.closeTo(1, 6) })
    // three of five take 1.4 times what would be theirs
    expect(measured(balance(endpointsAt('eu/b 3/5', far), 'eu/a'))['us/x']).toBeCloseTo(0.16, 1)
    expect(measured(balance(endpointsAt('eu/b 0/5', far), 'eu/a'))).toEqual({ 'us/x': expect.closeTo(1, 6) })
  })

  it('treats all alike where this proxy or they are not told where they are', () => {
    const list = endpointsAt('eu/a 1', 'eu/b 1')
    const spec = { kind: 'round-robin', locality: 'zone-aware' } as const
    const shares = measured(createLoadBalancer(list, spec, { clock: new ManualClock(), random: createRandom(1) }))
    expect(shares['eu/a']).toBeCloseTo(0.5, 2)
    expect(sharesOf([balancedEndpoint()], 'eu/a', 'zone-aware')).toHaveLength(1)
  })
})

describe('failover', () => {
  const places = ['eu/a/1', 'eu/a/2', 'eu/b/1', 'us/x/1']

  it('goes from sub-zone to zone to region to the others, as each becomes empty', () => {
    for (const [gone, next] of places.entries()) {
      const list = endpointsAt(...places.slice(gone).toReversed())
      expect(measured(balance(list, 'eu/a/1', { locality: 'failover' }), 100)).toEqual({ [next]: expect.closeTo(1, 6) })
    }
  })

  it('gives the next one what the available ones of a tier cannot take', () => {
    const list = endpointsAt('eu/a/1 1/2', 'eu/a/2 3/10', 'eu/b/1 4')
    const shares = sharesOf(list, 'eu/a/1', 'failover').map(({ share }) => share)
    expect(shares).toEqual([expect.closeTo(0.7, 6), expect.closeTo(0.3, 6), 0])
  })

  it('uses what is not available where all tiers together cannot take everything', () => {
    const list = endpointsAt('eu/a/1 2/10', 'eu/b/1 3/10')
    const [near, far] = sharesOf(list, 'eu/a/1', 'failover')
    expect(near?.endpoints).toHaveLength(10)
    expect(far?.endpoints).toHaveLength(10)
    expect(near?.share).toBeCloseTo(0.28 / 0.7, 6)
    const none = sharesOf(endpointsAt('eu/a/1 0/1', 'eu/b/1 0/3'), 'eu/a/1', 'failover')
    expect(none.map(({ share }) => share)).toEqual([0.25, 0.75])
  })

  it('is after the priorities of the control plane', () => {
    const list = endpointsAt('eu/a 1', 'us/x 1').map((endpoint) => ({
      ...endpoint,
      priority: endpoint.locality?.region === 'eu' ? 1 : 0,
    }))
    for (const locality of ['failover', undefined] as const)
      expect(measured(balance(list, 'eu/a', { locality } as Partial<LoadBalancingSpec>), 100)).toHaveProperty('us/x')
  })

  it('sends a key always to the same tier', () => {
    const list = endpointsAt('eu/a 1/2', 'us/x 2')
    const balancer = balance(list, 'eu/a', { kind: 'maglev', tableSize: 251, locality: 'failover' })
    for (let key = 0; key < 50; key++) {
      const first = balancer.pick(undefined, key * 77_777_777)
      for (let again = 0; again < 5; again++) expect(balancer.pick(undefined, key * 77_777_777)).toBe(first)
    }
  })
})

/** Of each zone. */
function weighted(list: readonly LoadBalancedEndpoint[], weights: Record<string, number>): LoadBalancedEndpoint[] {
  return list.map((endpoint) => ({ ...endpoint, localityWeight: weights[endpoint.locality?.zone ?? ''] }))
}

describe('localities by weight', () => {
  it('get what their weights say, wherever the caller is', () => {
    const list = weighted(endpointsAt('eu/a 1', 'eu/b 4', 'us/x 5'), { a: 70, b: 30 })
    const shares = measured(balance(list, 'us/x', { locality: 'weighted' }))
    expect(shares['eu/a']).toBeCloseTo(0.7, 1)
    expect(shares['eu/b']).toBeCloseTo(0.3, 1)
    expect(shares['us/x']).toBeUndefined()
  })

  it('get less as fewer of their endpoints are available, and leave it to the others', () => {
    const list = weighted(endpointsAt('eu/a 5/10', 'eu/b 10'), { a: 50, b: 50 })
    const [a, b] = sharesOf(list, 'eu/a', 'weighted')
    expect([a?.share, b?.share]).toEqual([0.7 / 1.7, 1 / 1.7].map((share) => expect.closeTo(share, 6)))
    const gone = weighted(endpointsAt('eu/a 0/10', 'eu/b 10'), { a: 99, b: 1 })
    expect(measured(balance(gone, 'eu/a', { locality: 'weighted' }), 100)).toEqual({
      'eu/b': expect.closeTo(1, 6),
    })
  })

  it('all serve when none has a weight', () => {
    const list = endpointsAt('eu/a', 'eu/b')
    expect(sharesOf(list, 'eu/a', 'weighted')).toEqual([{ share: 1, endpoints: list }])
  })
})

it('retries go to where no request would go, rather than to an endpoint that has been tried', () => {
  for (const locality of ['zone-aware', 'failover'] as const) {
    const list = endpointsAt('eu/a', 'eu/b', 'us/x')
    const balancer = balance(list, 'eu/a', { locality })
    const tried = new Set<LoadBalancedEndpoint>()
    for (const expected of ['a', 'b', 'x']) {
      const picked = balancer.pick(tried) as LoadBalancedEndpoint
      expect(picked.locality?.zone).toBe(expected)
      tried.add(picked)
    }
  }
})

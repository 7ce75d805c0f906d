// Ring hash and Maglev: how keys spread, what moves when endpoints change, and who gets what is too much for one.
import { describe, expect, it } from 'vitest'

import { balancedEndpoints, equalEndpoints } from '../../../test/kit/balanced-endpoints.ts'
import { ManualClock } from '../../../test/kit/manual-clock.ts'
import type { LoadBalancedEndpoint, LoadBalancer } from '../../contracts/load-balancer.ts'
import { createRandom } from '../../core/random.ts'
import { hashText } from './key-hash.runtime.ts'
import { createLoadBalancer } from './load-balancing.runtime.ts'
import type { LoadBalancingSpec } from './load-balancing.spec.ts'

const ring = { kind: 'ring-hash', minRingSize: 1_024, maxRingSize: 262_144 } as const
const maglev = { kind: 'maglev', tableSize: 65_537 } as const
const keys = Array.from({ length: 20_000 }, (_, i) => hashText(`user-${i}`, 0))

function balance(list: readonly LoadBalancedEndpoint[], spec: LoadBalancingSpec): LoadBalancer {
  return createLoadBalancer(list, spec, { clock: new ManualClock(), random: createRandom(1) })
}

/** Where each key leads. */
function placesOf(
  list: readonly LoadBalancedEndpoint[],
  spec: LoadBalancingSpec,
): (LoadBalancedEndpoint | undefined)[] {
  const balancer = balance(list, spec)
  return keys.map((key) => balancer.pick(undefined, key))
}

function countsOf(
  places: readonly (LoadBalancedEndpoint | undefined)[],
  list: readonly LoadBalancedEndpoint[],
): number[] {
  const counts = new Map(list.map((endpoint) => [endpoint, 0]))
  for (const place of places) if (place !== undefined) counts.set(place, (counts.get(place) ?? 0) + 1)
  return [...counts.values()]
}

describe.each([ring, maglev])('$kind', (spec) => {
  it.each([
    [10, { 'ring-hash': 0.2, maglev: 0.06 }],
    [100, { 'ring-hash': 0.35, maglev: 0.25 }],
  ])('spreads keys over %d endpoints', (count, most) => {
    const list = equalEndpoints(count)
    for (const got of countsOf(placesOf(list, spec), list))
      expect(Math.abs((got * count) / keys.length - 1)).toBeLessThan(most[spec.kind])
  })

  it('spreads keys by weight', () => {
    const list = balancedEndpoints(1, 2, 5, 0)
    const shares = countsOf(placesOf(list, spec), list).map((count) => count / keys.length)
    for (const [i, share] of [1 / 8, 2 / 8, 5 / 8, 0].entries())
      expect(Math.abs((shares[i] as number) - share)).toBeLessThan(0.03)
  })

  it.each([5, 10, 50, 300])(
    'moves no more keys than it must when one of %d endpoints goes, and when it comes back',
    (count) => {
      const list = equalEndpoints(count)
      const before = placesOf(list, spec)
      const sampled = list.filter((_, i) => i % Math.ceil(count / 10) === 0)
      let moved = 0
      for (const gone of sampled) {
        const after = placesOf(
          list.filter((endpoint) => endpoint !== gone),
          spec,
        )
        for (const [i, place] of after.entries()) {
          if (place === before[i]) continue
          moved++
          expect(before[i]).toBe(gone)
        }
      }
      const ideal = (sampled.length * keys.length) / count
      expect(moved / ideal).toBeLessThan(1.1)
    },
  )

  it('moves no keys of others when the weight of one changes', () => {
    const list = equalEndpoints(20)
    const before = placesOf(list, spec)
    const [first, ...others] = list as [LoadBalancedEndpoint, ...LoadBalancedEndpoint[]]
    const heavier = { ...first, weight: 2 }
    for (const [i, place] of placesOf([heavier, ...others], spec).entries())
      if (place !== heavier) expect(place).toBe(before[i])
  })

  it('leads every proxy to the same endpoint, in whatever order it has heard of them', () => {
    const list = equalEndpoints(30)
    expect(placesOf(list.toReversed(), spec)).toEqual(placesOf(list, spec))
  })

  it('retries one key always on the same other endpoint', () => {
    const list = equalEndpoints(10)
    const key = keys[0] as number
    const first = balance(list, spec).pick(undefined, key) as LoadBalancedEndpoint
    const second = balance(list, spec).pick(new Set([first]), key)
    expect(second).not.toBe(first)
    expect(balance(list, spec).pick(new Set([first]), key)).toBe(second)
  })

  it('picks at random for a request without a key', () => {
    const list = equalEndpoints(10)
    const balancer = balance(list, spec)
    expect(new Set(Array.from({ length: 200 }, () => balancer.pick())).size).toBe(10)
  })

  it('gives no endpoint more than its bound, and keys their own endpoint again when there is room', () => {
    const list = equalEndpoints(10)
    const balancer = balance(list, { ...spec, balanceFactorPercent: 125 })
    const key = keys[0] as number
    const own = balancer.pick(undefined, key) as LoadBalancedEndpoint
    // one key is all there is
    for (let underWay = 0; underWay < 1_000; underWay++) {
      const picked = balancer.pick(undefined, key) as LoadBalancedEndpoint
      picked.activeRequests++
    }
    for (const { activeRequests } of list) expect(activeRequests).toBeLessThanOrEqual(126)
    for (const endpoint of list) endpoint.activeRequests = 0
    expect(balancer.pick(undefined, key)).toBe(own)
  })
})

describe('hashes of texts', () => {
  it('are those of MurmurHash3 over UTF-16', () => {
    // smhasher's reference: MurmurHash3_x86_32 of the bytes in UTF-16LE
    expect(hashText('', 0)).toBe(0)
    expect(hashText('', 1)).toBe(0x514e28b7)
  })

  it('differ in half of their bits for texts that differ in one', () => {
    let changed = 0
    for (let i = 0; i < 1_000; i++) {
      let bits = hashText(`user-${i}`, 0) ^ hashText(`user-${i + 1}`, 0)
      for (; bits !== 0; bits &= bits - 1) changed++
    }
    expect(changed / 1_000).toBeGreaterThan(15)
    expect(changed / 1_000).toBeLessThan(17)
  })
})

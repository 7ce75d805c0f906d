// Which endpoints serve, whatever the algorithm; and how least request spreads over them.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { balancedEndpoints, equalEndpoints, sharesOf } from '../../../test/kit/balanced-endpoints.ts'
import { ManualClock } from '../../../test/kit/manual-clock.ts'
import type { LoadBalancedEndpoint, LoadBalancer } from '../../contracts/load-balancer.ts'
import { createRandom } from '../../core/random.ts'
import { createLoadBalancer } from './load-balancing.runtime.ts'
import type { LoadBalancingSpec } from './load-balancing.spec.ts'

const twoChoices = { kind: 'least-request', choiceCount: 2 } as const

const algorithms: readonly LoadBalancingSpec[] = [
  { kind: 'round-robin' },
  { kind: 'random' },
  twoChoices,
  { kind: 'least-request', choiceCount: 2, activeRequestBias: 1 },
  { kind: 'peak-ewma', choiceCount: 2, decayMs: 10_000 },
  { kind: 'ring-hash', minRingSize: 64, maxRingSize: 1_024 },
  { kind: 'maglev', tableSize: 251 },
  { kind: 'maglev', tableSize: 251, balanceFactorPercent: 120 },
]

function balance(list: readonly LoadBalancedEndpoint[], spec: LoadBalancingSpec, seed = 1): LoadBalancer {
  return createLoadBalancer(list, spec, { clock: new ManualClock(), random: createRandom(seed) })
}

/** Those that get requests. */
function pickedFrom(list: readonly LoadBalancedEndpoint[], spec: LoadBalancingSpec): Set<LoadBalancedEndpoint> {
  const balancer = balance(list, spec)
  const picked = Array.from({ length: 500 }, (_, i) => {
    const one = balancer.pick(undefined, Math.imul(i, 0x9e3779b1) >>> 0) as LoadBalancedEndpoint
    one.latencyMs = 1 // that it has answered
    return one
  })
  return new Set(picked)
}

describe.each(algorithms)('$kind', (spec) => {
  it('picks nothing from nothing, nor from weights of 0', () => {
    expect(balance([], spec).pick()).toBeUndefined()
    expect(balance(balancedEndpoints(0, 0), spec).pick()).toBeUndefined()
  })

  it('avoids what it is told to while there is another', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 6 }),
        fc.integer(),
        fc.func(fc.boolean()),
        (weights, seed, isAvoided) => {
          const list = balancedEndpoints(...weights)
          const avoid = new Set(list.filter((_, index) => isAvoided(index)))
          const picked = balance(list, spec, seed).pick(avoid, seed >>> 0)
          const live = list.filter((endpoint) => endpoint.weight > 0)
          const others = live.filter((endpoint) => !avoid.has(endpoint))
          if (live.length === 0) expect(picked).toBeUndefined()
          else expect(others.length === 0 ? live : others).toContain(picked)
        },
      ),
    )
  })

  it('leaves out what is not available, unless that is more than half: then all serve', () => {
    const list = equalEndpoints(10).map((endpoint, i) => ({ ...endpoint, available: i >= 5 }))
    for (const one of pickedFrom(list, spec)) expect(one.available).toBe(true)
    const fewer = list.map((endpoint, i) => ({ ...endpoint, available: i >= 6 }))
    expect(pickedFrom(fewer, spec).size).toBe(10)
    expect(pickedFrom(fewer, { ...spec, panicThresholdPercent: 40 }).size).toBe(4)
    const none = list.map((endpoint) => ({ ...endpoint, available: false }))
    expect(pickedFrom(none, { ...spec, panicThresholdPercent: 0 }).size).toBe(10)
  })
})

describe('round robin', () => {
  it('gives each endpoint its turn', () => {
    const list = equalEndpoints(4)
    const balancer = balance(list, { kind: 'round-robin' })
    for (let round = 0; round < 3; round++) expect(new Set([1, 2, 3, 4].map(() => balancer.pick())).size).toBe(4)
  })

  it('gives by weight, exactly and never in bursts', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 2, maxLength: 10 })
    fc.assert(
      fc.property(weights, fc.integer(), (each, seed) => {
        const list = balancedEndpoints(...each)
        const balancer = balance(list, { kind: 'round-robin' }, seed)
        const total = each.reduce((sum, weight) => sum + weight, 0)
        const counts = new Map(list.map((endpoint) => [endpoint, 0]))
        for (let i = 1; i <= 3 * total; i++) {
          const picked = balancer.pick() as LoadBalancedEndpoint
          counts.set(picked, (counts.get(picked) ?? 0) + 1)
        }
        for (const [{ weight }, count] of counts) expect(Math.abs(count - 3 * weight)).toBeLessThanOrEqual(1)
      }),
    )
  })
})

describe('random', () => {
  it.each([[[1, 1, 1, 1]], [[90, 10, 0]], [[1, 2, 3, 4, 5]]])('gives by weight: %j', (weights) => {
    const list = balancedEndpoints(...weights)
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    const shares = sharesOf(list, balance(list, { kind: 'random' }), 1, 100_000)
    for (const [i, share] of shares.entries()) expect(Math.abs(share - (weights[i] ?? 0) / total)).toBeLessThan(0.006)
  })
})

describe('least request', () => {
  it('always prefers the idle one of two', () => {
    const [busy, idle] = equalEndpoints(2) as [LoadBalancedEndpoint, LoadBalancedEndpoint]
    busy.activeRequests = 1
    const balancer = balance([busy, idle], twoChoices)
    for (let i = 0; i < 100; i++) expect(balancer.pick()).toBe(idle)
  })

  it('never picks the busiest of many', () => {
    const list = equalEndpoints(4)
    ;(list[2] as LoadBalancedEndpoint).activeRequests = 9
    const balancer = balance(list, twoChoices)
    for (let i = 0; i < 500; i++) expect(balancer.pick()).not.toBe(list[2])
  })

  it.each([1, 10, 100])('spreads evenly over equal endpoints with %d under way', (inFlight) => {
    const list = equalEndpoints(4)
    for (const share of sharesOf(list, balance(list, twoChoices), inFlight))
      expect(Math.abs(share - 0.25)).toBeLessThan(0.02)
  })

  it.each([1, 100])('spreads by weight with %d under way, and leaves out weight 0', (inFlight) => {
    const list = balancedEndpoints(90, 10, 0)
    const [heavy, light, none] = sharesOf(list, balance(list, twoChoices), inFlight) as [number, number, number]
    expect(Math.abs(heavy - 0.9)).toBeLessThan(0.05)
    expect(Math.abs(light - 0.1)).toBeLessThan(0.05)
    expect(none).toBe(0)
  })

  it('compares unequal endpoints by what is under way for their weight', () => {
    const [heavy, light] = balancedEndpoints(10, 1) as [LoadBalancedEndpoint, LoadBalancedEndpoint]
    heavy.activeRequests = 5
    light.activeRequests = 1
    const balancer = balance([heavy, light], twoChoices)
    let toLight = 0
    for (let i = 0; i < 1000; i++) if (balancer.pick() === light) toLight++
    expect(toLight).toBeLessThan(30)
  })

  it.each([0, 1, 2])('with a bias of %d divides by (active requests + 1)^bias', (bias) => {
    const [busy, idle] = balancedEndpoints(10, 10.0001) as [LoadBalancedEndpoint, LoadBalancedEndpoint]
    busy.activeRequests = 9
    const balancer = balance([busy, idle], { ...twoChoices, activeRequestBias: bias })
    let toBusy = 0
    for (let i = 0; i < 10_000; i++) if (balancer.pick() === busy) toBusy++
    expect(Math.abs(toBusy / 10_000 - 1 / (1 + 10 ** bias))).toBeLessThan(0.01)
  })
})

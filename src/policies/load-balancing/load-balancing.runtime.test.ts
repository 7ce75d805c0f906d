// How requests spread over endpoints.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import type { LoadBalancedEndpoint } from '../../contracts/load-balancer.ts'
import { createRandom } from '../../core/random.ts'
import { createLeastRequest } from './load-balancing.runtime.ts'

const twoChoices = { kind: 'least-request', choiceCount: 2 } as const

function endpoints(...weights: number[]): LoadBalancedEndpoint[] {
  return weights.map((weight, index) => ({ address: `10.0.0.${index}:80`, weight, activeRequests: 0, available: true }))
}

/** Share of each endpoint over many picks, with `inFlight` requests under way at once, each taking equally long. */
function shares(list: LoadBalancedEndpoint[], inFlight: number, picks = 20_000): number[] {
  const balancer = createLeastRequest(list, twoChoices, createRandom(11))
  const counts = new Map(list.map((endpoint) => [endpoint, 0]))
  const under: LoadBalancedEndpoint[] = []
  for (let i = 0; i < picks; i++) {
    const picked = balancer.pick() as LoadBalancedEndpoint
    counts.set(picked, (counts.get(picked) ?? 0) + 1)
    picked.activeRequests++
    under.push(picked)
    if (under.length >= inFlight) (under.shift() as LoadBalancedEndpoint).activeRequests--
  }
  return [...counts.values()].map((count) => count / picks)
}

describe('least request', () => {
  it('picks nothing from nothing, nor from weights of 0', () => {
    expect(createLeastRequest([], twoChoices, createRandom(1)).pick()).toBeUndefined()
    expect(createLeastRequest(endpoints(0, 0), twoChoices, createRandom(1)).pick()).toBeUndefined()
  })

  it('always prefers the idle one of two', () => {
    const [busy, idle] = endpoints(1, 1) as [LoadBalancedEndpoint, LoadBalancedEndpoint]
    busy.activeRequests = 1
    const balancer = createLeastRequest([busy, idle], twoChoices, createRandom(2))
    for (let i = 0; i < 100; i++) expect(balancer.pick()).toBe(idle)
  })

  it('never picks the busiest of many', () => {
    const list = endpoints(1, 1, 1, 1)
    ;(list[2] as LoadBalancedEndpoint).activeRequests = 9
    const balancer = createLeastRequest(list, twoChoices, createRandom(2))
    for (let i = 0; i < 500; i++) expect(balancer.pick()).not.toBe(list[2])
  })

  it.each([1, 10, 100])('spreads evenly over equal endpoints with %d under way', (inFlight) => {
    for (const share of shares(endpoints(1, 1, 1, 1), inFlight)) expect(Math.abs(share - 0.25)).toBeLessThan(0.02)
  })

  it.each([1, 100])('spreads by weight with %d under way, and leaves out weight 0', (inFlight) => {
    const [heavy, light, none] = shares(endpoints(90, 10, 0), inFlight) as [number, number, number]
    expect(Math.abs(heavy - 0.9)).toBeLessThan(0.05)
    expect(Math.abs(light - 0.1)).toBeLessThan(0.05)
    expect(none).toBe(0)
  })

  it('compares unequal endpoints by what is under way for their weight', () => {
    const [heavy, light] = endpoints(10, 1) as [LoadBalancedEndpoint, LoadBalancedEndpoint]
    heavy.activeRequests = 5
    light.activeRequests = 1
    const balancer = createLeastRequest([heavy, light], twoChoices, createRandom(4))
    let toLight = 0
    for (let i = 0; i < 1000; i++) if (balancer.pick() === light) toLight++
    expect(toLight).toBeLessThan(30)
  })

  it('avoids what it is told to while there is another', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 6 }),
        fc.integer(),
        fc.func(fc.boolean()),
        (weights, seed, isAvoided) => {
          const list = endpoints(...weights)
          const avoid = new Set(list.filter((_, index) => isAvoided(index)))
          const picked = createLeastRequest(list, twoChoices, createRandom(seed)).pick(avoid)
          const live = list.filter((endpoint) => endpoint.weight > 0)
          const others = live.filter((endpoint) => !avoid.has(endpoint))
          if (live.length === 0) expect(picked).toBeUndefined()
          else expect(others.length === 0 ? live : others).toContain(picked)
        },
      ),
    )
  })
})

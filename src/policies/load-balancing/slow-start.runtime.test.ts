// What an endpoint gets that has just come.
import { describe, expect, it } from 'vitest'

import { balancedEndpoint, equalEndpoints, sharesOf } from '../../../test/kit/balanced-endpoints.ts'
import { ManualClock } from '../../../test/kit/manual-clock.ts'
import type { LoadBalancedEndpoint, LoadBalancer } from '../../contracts/load-balancer.ts'
import { createRandom } from '../../core/random.ts'
import { createLoadBalancer } from './load-balancing.runtime.ts'
import type { LoadBalancingAlgorithm, SlowStartSpec } from './load-balancing.spec.ts'

const evenly: SlowStartSpec = { windowMs: 100_000, aggression: 1, minWeightPercent: 10 }

class Warming {
  readonly clock = new ManualClock()
  readonly list: LoadBalancedEndpoint[]
  readonly balancer: LoadBalancer

  /** The last of four has just come. */
  constructor(algorithm: LoadBalancingAlgorithm, slowStart: SlowStartSpec) {
    this.list = [...equalEndpoints(3), balancedEndpoint({ address: 'new', sinceMs: this.clock.monotonicMs() })]
    const deps = { clock: this.clock, random: createRandom(5) }
    this.balancer = createLoadBalancer(this.list, { ...algorithm, slowStart }, deps)
  }

  /** What the new one gets of what the others get each. */
  share(): number {
    const shares = sharesOf(this.list, this.balancer)
    return ((shares[3] as number) * 3) / (1 - (shares[3] as number))
  }
}

describe.each<LoadBalancingAlgorithm>([{ kind: 'round-robin' }, { kind: 'least-request', choiceCount: 2 }])(
  'slow start with $kind',
  (algorithm) => {
    it('begins with the minimum weight, grows evenly and ends', () => {
      const warming = new Warming(algorithm, evenly)
      expect(warming.share()).toBeCloseTo(0.1, 1)
      warming.clock.advance(50_000)
      expect(warming.share()).toBeCloseTo(0.5, 1)
      warming.clock.advance(50_000)
      expect(warming.share()).toBeCloseTo(1, 1)
    })

    it('grows sooner with more aggression', () => {
      const warming = new Warming(algorithm, { ...evenly, aggression: 2 })
      warming.clock.advance(25_000)
      expect(warming.share()).toBeCloseTo(0.5, 1)
    })
  },
)

it('endpoints that are all new get all there is', () => {
  const clock = new ManualClock()
  const list = equalEndpoints(4).map((endpoint) => ({ ...endpoint, sinceMs: clock.monotonicMs() }))
  const spec = { kind: 'least-request', choiceCount: 2, slowStart: { ...evenly, minWeightPercent: 0 } } as const
  for (const share of sharesOf(list, createLoadBalancer(list, spec, { clock, random: createRandom(1) })))
    expect(share).toBeCloseTo(0.25, 1)
})

// What peak EWMA learns from attempts.
import { beforeEach, describe, expect, it } from 'vitest'

import { equalEndpoints } from '../../../test/kit/balanced-endpoints.ts'
import { ManualClock } from '../../../test/kit/manual-clock.ts'
import type { FinishedAttempt, LoadBalancedEndpoint, LoadBalancer } from '../../contracts/load-balancer.ts'
import { createRandom } from '../../core/random.ts'
import { createLoadBalancer } from './load-balancing.runtime.ts'

let clock: ManualClock
let one: LoadBalancedEndpoint
let other: LoadBalancedEndpoint
let balancer: LoadBalancer

beforeEach(() => {
  clock = new ManualClock()
  ;[one, other] = equalEndpoints(2) as [LoadBalancedEndpoint, LoadBalancedEndpoint]
  const spec = { kind: 'peak-ewma', choiceCount: 2, decayMs: 10_000 } as const
  balancer = createLoadBalancer([one, other], spec, { clock, random: createRandom(1) })
})

function over(endpoint: LoadBalancedEndpoint, tookMs: number, changes: Partial<FinishedAttempt> = {}): void {
  const nowMs = clock.monotonicMs()
  const response = { outcome: 'response', status: 200, grpcStatus: undefined, respondedMs: nowMs } as const
  balancer.attemptOver?.(endpoint, { ...response, startMs: nowMs - tookMs, ...changes })
}

const always = (expected: LoadBalancedEndpoint): void => {
  for (let i = 0; i < 50; i++) expect(balancer.pick()).toBe(expected)
}

describe('peak EWMA', () => {
  it('prefers who answers faster, until so many wait there that the slower one would answer first', () => {
    over(one, 10)
    over(other, 35)
    always(one)
    one.activeRequests = 2
    always(one)
    one.activeRequests = 3
    always(other)
  })

  it('believes a slow answer at once and a fast one by and by', () => {
    over(one, 10)
    over(one, 100)
    expect(one.latencyMs).toBe(100)
    clock.advance(1_000)
    over(one, 10)
    expect(one.latencyMs).toBeCloseTo(91.4, 1)
    clock.advance(60_000)
    over(one, 10)
    expect(one.latencyMs).toBeCloseTo(10.2, 1)
  })

  it('tries a slow one again after a while without news', () => {
    over(one, 10)
    over(other, 200)
    always(one)
    clock.advance(40_000)
    over(one, 10)
    always(other)
  })

  it('asks who has not answered yet once, and goes on when it has', () => {
    over(one, 10)
    always(other)
    other.activeRequests = 1
    always(one)
    over(other, 5)
    other.activeRequests = 0
    always(other)
  })

  it.each<[string, Partial<FinishedAttempt>]>([
    ['a refused connection', { outcome: 'connect-failure', status: 0, respondedMs: 0 }],
    ['a reset', { outcome: 'reset', status: 0, respondedMs: 0 }],
    ['a 503', { status: 503 }],
    ['a gRPC call that is answered with UNAVAILABLE', { grpcStatus: 14 }],
  ])('does not take %s for a fast answer', (_, changes) => {
    over(one, 10)
    over(other, 1, changes)
    always(one)
  })

  it('learns from callers who give up that it took longer, not how long it takes', () => {
    over(one, 10)
    over(other, 20)
    over(other, 5, { outcome: 'cancelled', status: 0, respondedMs: 0 })
    expect(other.latencyMs).toBe(20)
    over(one, 500, { outcome: 'cancelled', status: 0, respondedMs: 0 })
    expect(one.latencyMs).toBe(500)
    over(other, 1, { outcome: 'overflow', status: 0, respondedMs: 0 })
    expect(other.latencyMs).toBe(20)
  })
})

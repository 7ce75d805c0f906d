// One of ten instances has become ten times slower: what callers notice of it, by load-balancing algorithm.
import { describe, expect, it } from 'vitest'

import type { LoadBalancingSpec } from '../../src/policies/load-balancing/load-balancing.spec.ts'
import { exponential, percentile, runQueueing, type QueueingResult } from './queueing.ts'

const fast = { serviceMs: exponential(10), concurrency: 4 }
const slow = { serviceMs: exponential(100), concurrency: 4 }

function withOneSlow(loadBalancing: LoadBalancingSpec, seed = 1): QueueingResult {
  const servers = [slow, ...Array.from({ length: 9 }, () => fast)]
  return runQueueing({ seed, requests: 50_000, requestsPerSecond: 1_000, servers, loadBalancing })
}

const share = (spec: LoadBalancingSpec): number => (withOneSlow(spec).counts[0] as number) / 50_000

describe('one slow instance of ten', () => {
  it.each([1, 2, 3])(
    'least request and peak EWMA beat round robin five times in the 99th percentile, seed %i',
    (seed) => {
      const p99 = (spec: LoadBalancingSpec): number => percentile(withOneSlow(spec, seed).latenciesMs, 99)
      const roundRobin = p99({ kind: 'round-robin' })
      expect(p99({ kind: 'least-request', choiceCount: 2 }) * 5).toBeLessThan(roundRobin)
      expect(p99({ kind: 'peak-ewma', choiceCount: 2, decayMs: 10_000 }) * 5).toBeLessThan(roundRobin)
    },
  )

  it('gets fewer requests than it could serve, from peak EWMA fewer than from least request', () => {
    const leastRequest = share({ kind: 'least-request', choiceCount: 2 })
    const peakEwma = share({ kind: 'peak-ewma', choiceCount: 2, decayMs: 10_000 })
    expect(leastRequest).toBeLessThan(0.04)
    expect(peakEwma).toBeLessThan(leastRequest)
    expect(peakEwma).toBeGreaterThan(0)
  })

  it('is the same for the same seed', () => {
    const spec = { kind: 'peak-ewma', choiceCount: 2, decayMs: 10_000 } as const
    expect(withOneSlow(spec, 7)).toEqual(withOneSlow(spec, 7))
  })
})

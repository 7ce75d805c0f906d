// One of ten instances has become ten times slower: what callers notice of it, by load-balancing algorithm.
import { describe, expect, it } from 'vitest'

import type { RunReport } from '../../src/insight/simulate/simulation-report.ts'
import { simulatedRun } from './simulated-run.ts'

/** Nothing but the algorithm: what ejects or asks twice is off. */
const alone = 'outlierDetection: { consecutiveGatewayErrors: 0 }, hedging: { mode: Off }'

function withOneSlow(algorithm: string, seed = 1): Promise<RunReport> {
  const scenario = `duration: 50s
applications: [{ workload: app, instances: 10, concurrency: 4, queue: 1000000, serviceTime: { distribution: Exponential, mean: 10ms } }]
clients: [{ workload: client, service: app, rate: 1000 }]
events: [{ at: 0s, action: Slow, workload: app, count: 1, factor: 10 }]`
  return simulatedRun(scenario, `loadBalancing: { algorithm: ${algorithm} }, ${alone}`, seed)
}

async function p99(algorithm: string, seed: number): Promise<number> {
  const { latencyMs } = await withOneSlow(algorithm, seed)
  return latencyMs?.p99 ?? Infinity
}

async function share(algorithm: string): Promise<number> {
  const { applications, requests } = await withOneSlow(algorithm)
  return (applications[0]?.perInstance?.[0] ?? 0) / requests
}

describe('one slow instance of ten', () => {
  it.each([1, 2, 3])(
    'least request and peak EWMA beat round robin five times in the 99th percentile, seed %i',
    async (seed) => {
      const roundRobin = await p99('RoundRobin', seed)
      expect((await p99('LeastRequest', seed)) * 5).toBeLessThan(roundRobin)
      expect((await p99('PeakEwma', seed)) * 5).toBeLessThan(roundRobin)
    },
  )

  it('gets fewer requests than it could serve, from peak EWMA fewer than from least request', async () => {
    const leastRequest = await share('LeastRequest')
    const peakEwma = await share('PeakEwma')
    expect(leastRequest).toBeLessThan(0.04)
    expect(peakEwma).toBeLessThan(leastRequest)
    expect(peakEwma).toBeGreaterThan(0)
  })

  it('is the same for the same seed, and another for another', async () => {
    const [first, again, other] = [
      await withOneSlow('PeakEwma', 7),
      await withOneSlow('PeakEwma', 7),
      await withOneSlow('PeakEwma', 8),
    ].map((run) => JSON.stringify(run))
    expect(again).toBe(first)
    expect(other).not.toBe(first)
  })
})

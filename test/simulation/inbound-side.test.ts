// What the sidecars of the destination make of requests: limits of rate and concurrency, by the code that a proxy runs.
import { describe, expect, it } from 'vitest'

import type { RunReport } from '../../src/insight/simulate/simulation-report.ts'
import { simulatedRun } from './simulated-run.ts'

/** Four instances that could do 400 a second together, for 20 s. */
function play(rate: number, traffic: string, events = ''): Promise<RunReport> {
  return simulatedRun(
    `duration: 20s
warmUp: 5s
applications: [{ workload: app, instances: 4, concurrency: 4, queue: 1000000, serviceTime: { distribution: Constant, mean: 40ms } }]
clients: [{ workload: client, service: app, rate: ${rate}, timeout: 500ms }]
events: [${events}]`,
    traffic,
  )
}

/** A second, of those that are counted. */
function perSecond(count = 0): number {
  return count / 15
}

describe('the sidecars of the destination', () => {
  it('let so many through as each of them may, at once', async () => {
    const limited = await play(
      200,
      'rateLimit: { local: [{ name: each, tokenBucket: { maxTokens: 5, tokensPerFill: 25, fillInterval: 1s } }] }',
    )
    expect(perSecond(limited.succeeded) / 100).toBeCloseTo(1, 1)
    expect(limited.failures['429']).toBe(limited.requests - limited.succeeded)
  })

  it('share a limit evenly', async () => {
    const limited = await play(
      200,
      'rateLimit: { local: [{ name: all, shared: true, tokenBucket: { maxTokens: 20, tokensPerFill: 100, fillInterval: 1s } }] }',
    )
    expect(perSecond(limited.succeeded) / 100).toBeCloseTo(1, 1)
  })

  it('have the application do what it can under five times as much, where without them nobody is answered in time', async () => {
    const [guarded, unguarded] = [
      await play(2_000, 'adaptiveConcurrency: {}'),
      await play(2_000, 'hedging: { mode: Off }'),
    ]
    expect(perSecond(guarded.succeeded)).toBeGreaterThan(0.9 * 400)
    expect(perSecond(unguarded.succeeded)).toBeLessThan(0.1 * 400)
    expect(guarded.latencyMs?.p99).toBeLessThan(300)
    expect(await play(2_000, 'adaptiveConcurrency: {}')).toEqual(guarded)
  })

  it('die with their application, and begin anew with it', async () => {
    const killed = await play(
      100,
      'adaptiveConcurrency: {}, outlierDetection: { baseEjectionTime: 1s }',
      '{ at: 8s, for: 4s, action: Kill, workload: app, count: 2 }',
    )
    expect(killed.successRatePercent).toBeGreaterThan(99.5)
    const [application] = killed.applications
    expect(application?.perInstance?.every((count) => count > 150)).toBe(true)
  })
})

// What events do to instances and callers, seen from the callers.
import { describe, expect, it } from 'vitest'

import type { RunReport } from '../../src/insight/simulate/simulation-report.ts'
import { simulatedRun } from './simulated-run.ts'

interface Played {
  readonly event: string
  readonly application?: string
  readonly client?: string
  readonly traffic?: string
}

/** Ten instances of 10 ms, 200 GET a second for 30 s. */
function play({ event, application = '', client = '', traffic }: Played): Promise<RunReport> {
  return simulatedRun(
    `duration: 30s
applications: [{ workload: app, instances: 10, serviceTime: { distribution: Constant, mean: 10ms }${application} }]
clients: [{ workload: client, service: app, rate: 200${client} }]
events: [{ ${event} }]`,
    traffic,
  )
}

const alone = 'outlierDetection: { consecutiveGatewayErrors: 0 }, hedging: { mode: Off }'
const once = `${alone}, retryConstraint: { budget: { percent: 0 }, minRetryRate: { count: 0 } }`

/** A sixtieth is half a second. */
function requestsIn({ series }: RunReport, from: number, to: number): number {
  return series.slice(from, to).reduce((sum, { requests }) => sum + requests, 0)
}

describe('an event', () => {
  it('kills instances, and after its time they serve again', async () => {
    const killed = await play({ event: 'at: 5s, for: 10s, action: Kill, workload: app, count: 5', traffic: once })
    expect(killed.failures['503']).toBeGreaterThan(500)
    expect(killed.series.slice(32).every(({ failed }) => failed === 0)).toBe(true)
  })

  it('hangs instances: their callers wait as long as they can', async () => {
    const hung = await play({
      event: 'at: 5s, for: 1s, action: Hang, workload: app, count: 1',
      client: ', timeout: 2s',
      traffic: once,
    })
    expect(Object.keys(hung.failures)).toEqual(['gave up'])
    const forEver = await play({ event: 'at: 5s, for: 1s, action: Hang, workload: app, count: 1', traffic: once })
    expect(Object.keys(forEver.failures)).toEqual(['no answer'])
    const failed = forEver.series.map((interval) => interval.failed)
    expect(failed.findIndex((count) => count > 0)).toBe(10)
    expect(failed.reduce((sum, count) => sum + count, 0)).toBe(forEver.failures['no answer'])
  })

  it('cuts instances off: new connections to them take the connect timeout', async () => {
    const cut = await play({ event: 'at: 0s, action: Unreachable, workload: app, count: 1', traffic: alone })
    // the retry is quick, what was waited for is not
    expect(cut.latencyMs?.max).toBeGreaterThan(1_000)
    expect(cut.latencyMs?.max).toBeLessThan(2_200)
  })

  it('makes some of the answers failures', async () => {
    const failing = await play({
      event: 'at: 0s, action: Fail, workload: app, status: 500, percent: 25',
      traffic: once,
    })
    expect(failing.failures['500']).toBeGreaterThan(failing.requests * 0.22)
    expect(failing.failures['500']).toBeLessThan(failing.requests * 0.28)
  })

  it('brings more callers, for a while', async () => {
    const surge = await play({ event: 'at: 10s, for: 5s, action: Surge, workload: client, factor: 5' })
    expect(requestsIn(surge, 20, 30) / requestsIn(surge, 10, 20)).toBeGreaterThan(4.5)
    expect(requestsIn(surge, 30, 40) / requestsIn(surge, 10, 20)).toBeLessThan(1.2)
  })

  it('replaces instances one after the other, and nobody notices', async () => {
    const deployed = await play({ event: 'at: 5s, action: Deploy, workload: app, every: 1s', traffic: once })
    expect(deployed.successRatePercent).toBe(100)
    expect(deployed.retryAmplification).toBe(1)
    expect(deployed.applications[0]?.instances).toBe(20)
    const [last] = deployed.applications[0]?.perInstance?.slice(-1) ?? []
    expect(last).toBeGreaterThan(100)
  })

  it('replaces them without a warning: retries make good for it', async () => {
    const event = 'at: 5s, action: Deploy, workload: app, every: 1s, graceful: false'
    expect((await play({ event, traffic: once })).successRatePercent).toBeLessThan(100)
    expect((await play({ event, traffic: alone })).successRatePercent).toBe(100)
  })

  it('reaches only the instances of its zone', async () => {
    const zones = await play({
      event: 'at: 0s, action: Kill, workload: app, zone: b',
      application: ', zones: [a, b]',
    })
    expect(zones.applications[0]?.zones).toEqual({ a: 100, b: 0 })
    expect(zones.faults[0]).toMatchObject({ instances: 5, ejections: 5 })
  })
})

it('keeps traffic in the zone of the caller when the policy says so', async () => {
  const spec = `duration: 30s
network: { sameZone: 1ms, otherZone: 5ms }
applications: [{ workload: app, instances: 9, zones: [a, b, c], serviceTime: { distribution: Constant, mean: 10ms } }]
clients: [{ workload: client, service: app, rate: 200, zones: [b] }]`
  const anywhere = await simulatedRun(spec, 'loadBalancing: { locality: { mode: Ignore } }')
  const local = await simulatedRun(spec, 'loadBalancing: { locality: { mode: Failover } }')
  expect(anywhere.applications[0]?.zones['b']).toBeLessThan(50)
  expect(local.applications[0]?.zones['b']).toBe(100)
  expect(local.latencyMs?.p50).toBeCloseTo(12, 1)
})

function warmedUp(warmUp: string): Promise<RunReport> {
  return simulatedRun(`duration: 20s
warmUp: ${warmUp}
applications: [{ workload: app, serviceTime: { distribution: Constant, mean: 10ms } }]
clients: [{ workload: client, service: app, rate: 100 }]`)
}

it('starts what is counted after the warm-up', async () => {
  const [all, half] = [await warmedUp('0ms'), await warmedUp('10s')]
  expect(half.requests).toBeGreaterThan(all.requests * 0.4)
  expect(half.requests).toBeLessThan(all.requests * 0.6)
  expect(half.applications[0]?.most).toBeGreaterThanOrEqual(half.requests)
})

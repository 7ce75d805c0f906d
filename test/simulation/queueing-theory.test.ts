// What a simulation must agree with: queues whose mean waits are known exactly.
import { describe, expect, it } from 'vitest'

import { simulatedRun } from './simulated-run.ts'

const serviceMs = 10

/** Mean time in the system M/M/c, Erlang's C formula. */
function meanMs(requestsPerSecond: number, servers: number): number {
  const offered = (requestsPerSecond * serviceMs) / 1_000
  let term = 1
  let sum = 0
  for (let busy = 0; busy < servers; busy++) {
    sum += term
    term *= offered / (busy + 1)
  }
  const full = term / (1 - offered / servers)
  const waits = full / (sum + full)
  return serviceMs + (waits * serviceMs) / (servers - offered)
}

describe('a simulated queue', () => {
  it.each([
    { rate: 50, servers: 1, seed: 1 },
    { rate: 80, servers: 1, seed: 2 },
    { rate: 300, servers: 4, seed: 3 },
    { rate: 700, servers: 8, seed: 4 },
  ])('takes on average what theory says: $rate/s to $servers servers', async ({ rate, servers, seed }) => {
    const { latencyMs } = await simulatedRun(
      `duration: ${Math.ceil(200_000 / rate)}s
warmUp: 5s
applications: [{ workload: app, concurrency: ${servers}, queue: 100000, serviceTime: { distribution: Exponential, mean: ${serviceMs}ms } }]
clients: [{ workload: client, service: app, rate: ${rate} }]`,
      '',
      seed,
    )
    const wanted = meanMs(rate, servers)
    expect(latencyMs?.mean).toBeGreaterThan(wanted * 0.97)
    expect(latencyMs?.mean).toBeLessThan(wanted * 1.03)
  })

  it('takes half of the exponential wait with a constant service time (Pollaczek and Khinchine)', async () => {
    const { latencyMs } = await simulatedRun(`duration: 3000s
applications: [{ workload: app, concurrency: 1, queue: 100000, serviceTime: { distribution: Constant, mean: 10ms } }]
clients: [{ workload: client, service: app, rate: 70 }]`)
    const wanted = serviceMs + (0.5 * (serviceMs * 0.7)) / (1 - 0.7)
    expect(latencyMs?.mean).toBeGreaterThan(wanted * 0.97)
    expect(latencyMs?.mean).toBeLessThan(wanted * 1.03)
  })

  it('has the percentiles of a log-normal service time', async () => {
    const { latencyMs } = await simulatedRun(`duration: 200s
applications: [{ workload: app, concurrency: 1000, serviceTime: { distribution: LogNormal, median: 20ms, p99: 200ms } }]
clients: [{ workload: client, service: app, rate: 500 }]`)
    expect(latencyMs?.p50).toBeCloseTo(20, 0)
    expect(Math.abs((latencyMs?.p99 ?? 0) - 200)).toBeLessThan(10)
  })
})

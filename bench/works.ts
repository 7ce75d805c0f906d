// What is measured: each work is one kind of load on one shape of service, and gives a sample of figures.
import { native } from './native.ts'
import { cpuSeconds, run } from './processes.ts'
import type { Serving, Topology } from './proxy-under-test.ts'

export type Sample = Readonly<Record<string, number>>

export interface Pace {
  /** Of one measurement, without warm-up. */
  readonly seconds: number
  readonly warmupSeconds: number
}

export interface Work {
  readonly name: string
  readonly what: string
  readonly topology: Topology
  measure(serving: Serving, pace: Pace): Promise<Sample>
}

interface HttpLoad {
  readonly connections: number
  /** Requests a second of an open loop; absent: closed loop. */
  readonly rate?: number
}

async function httpLoad(serving: Serving, pace: Pace, shape: HttpLoad): Promise<Sample> {
  // The warm-up is a run of its own, so that the measured CPU time is that of the measured requests.
  const load = async (seconds: number): Promise<Record<string, number>> => {
    const args = [`${serving.port}`, `${shape.connections}`, `${seconds}`]
    if (shape.rate !== undefined) args.push(`rate=${shape.rate}`)
    return JSON.parse(await run(native('http-load'), args, (seconds + 20) * 1_000)) as Record<string, number>
  }
  await load(pace.warmupSeconds)
  const pids = serving.pids()
  const before = cpuSeconds(pids)
  const result = await load(pace.seconds)
  const cpu = cpuSeconds(pids) - before
  const { seconds = 0, count = 0, errors = 0, stalled = 0, p50_us = 0, p99_us = 0 } = result
  return {
    requests_per_s: count / seconds,
    cpu_us_per_request: (cpu * 1e6) / Math.max(1, count),
    p50_us,
    p99_us,
    errors: errors + stalled,
  }
}

function http(name: string, what: string, topology: Topology, shape: HttpLoad): Work {
  return { name, what, topology, measure: (serving, pace) => httpLoad(serving, pace, shape) }
}

export const works: readonly Work[] = [
  http('plain-http1-64', 'plain HTTP/1.1, one hop, 64 connections', 'plain-hop', { connections: 64 }),
  http('mtls-two-hops-64', 'two mTLS hops, 64 connections', 'mtls-hops', { connections: 64 }),
  http('mtls-two-hops-1000', 'two mTLS hops, 1,000 connections', 'mtls-hops', { connections: 1_000 }),
  http('mtls-two-hops-1', 'two mTLS hops, one connection', 'mtls-hops', { connections: 1 }),
  http('mtls-fixed-8000', 'two mTLS hops, 8,000 requests a second (open loop)', 'mtls-hops', {
    connections: 64,
    rate: 8_000,
  }),
]

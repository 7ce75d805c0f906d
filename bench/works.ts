// What is measured: each work is one kind of load on one shape of service, and gives a sample of figures.
import { measureMemory } from './memory.ts'
import { native } from './native.ts'
import { cpuSeconds, run } from './processes.ts'
import type { Serving, Topology } from './proxy-under-test.ts'

export type Sample = Readonly<Record<string, number>>

export interface Pace {
  /** Of one measurement, without warm-up. */
  readonly seconds: number
  readonly warmupSeconds: number
  /** Before the first measurement of each proxy: what is compiled while it runs has been, and pools are full. */
  readonly firstWarmupSeconds: number
  /** That a slow reader fetches. */
  readonly hugeBodyBytes: number
}

export interface Work {
  readonly name: string
  readonly what: string
  readonly topology: Topology
  /** Leaves the proxy other than it was: one round. */
  readonly once?: true
  /** Rejects with the reason when the proxy does not serve it. */
  measure(serving: Serving, pace: Pace): Promise<Sample>
}

type Result = Readonly<Record<string, number>>

/** Runs one load twice: the warm-up is a run of its own, so that the CPU time is that of what was measured. */
async function loaded(
  serving: Serving,
  pace: Pace,
  load: (seconds: number) => Promise<Result>,
): Promise<{ result: Result; cpuUs: number }> {
  const probe = await load(pace.warmupSeconds)
  refuseNothing(probe)
  const pids = serving.pids()
  const before = cpuSeconds(pids)
  const result = await load(pace.seconds)
  return { result, cpuUs: (cpuSeconds(pids) - before) * 1e6 }
}

/** A load of which nothing succeeded is no figure. */
function refuseNothing(result: Result): void {
  if (sum(result, 'count', 'bytes', 'messages') > 0) return
  throw new Error(`nothing of the load succeeded (${result['errors']} errors)`)
}

function sum(result: Result, ...fields: readonly string[]): number {
  return fields.reduce((total, field) => total + (result[field] ?? 0), 0)
}

async function program(name: string, args: readonly (string | number)[], seconds: number): Promise<Result> {
  return JSON.parse(await run(native(name), args.map(String), (seconds + 20) * 1_000)) as Result
}

interface HttpLoad {
  readonly connections: number
  /** Requests a second of an open loop; absent: closed loop. */
  readonly rate?: number
}

function http(name: string, what: string, topology: Topology, { connections, rate }: HttpLoad): Work {
  const measure = async (serving: Serving, pace: Pace): Promise<Sample> => {
    // Peers with HTTP/1.1 pools shake hands as often as there are connections before the first of them is warm.
    const warmup = Math.max(pace.warmupSeconds, connections / 250)
    const args = [
      serving.port,
      connections,
      pace.seconds,
      `warmup=${warmup}`,
      ...(rate === undefined ? [] : [`rate=${rate}`]),
    ]
    const pids = serving.pids()
    let before = 0
    const output = await run(native('http-load'), args.map(String), (warmup + pace.seconds + 20) * 1_000, () => {
      before = cpuSeconds(pids)
    })
    const cpuUs = (cpuSeconds(pids) - before) * 1e6
    const result = JSON.parse(output.slice(output.indexOf('{'))) as Result
    refuseNothing(result)
    return { ...perRequest(result, cpuUs), stalled: sum(result, 'stalled'), errors: sum(result, 'errors') }
  }
  return { name, what, topology, measure }
}

function perRequest(result: Result, cpuUs: number): Sample {
  const count = sum(result, 'count')
  return {
    requests_per_s: count / sum(result, 'seconds'),
    cpu_us_per_request: cpuUs / Math.max(1, count),
    p50_us: sum(result, 'p50_us'),
    p99_us: sum(result, 'p99_us'),
  }
}

/** 64 calls at a time, eight on each of eight connections, as clients with a few channels have. */
function grpcLoad(port: number, seconds: number, messages: number, bytes: number): Promise<Result> {
  return program('grpc-load', [port, 8, 8, seconds, messages, bytes], seconds)
}

const grpcUnary: Work = {
  name: 'grpc-unary-64',
  what: 'gRPC unary calls through two mTLS hops, 64 at a time',
  topology: 'grpc-hops',
  measure: async (serving, pace) => {
    const { result, cpuUs } = await loaded(serving, pace, (seconds) => grpcLoad(serving.port, seconds, 1, 100))
    return { ...perRequest(result, cpuUs), errors: sum(result, 'errors') }
  },
}

const grpcStreaming: Work = {
  name: 'grpc-streaming',
  what: 'gRPC streams of 100 messages of 1 KB each way, 64 at a time',
  topology: 'grpc-hops',
  measure: async (serving, pace) => {
    const { result, cpuUs } = await loaded(serving, pace, (seconds) => grpcLoad(serving.port, seconds, 100, 1_024))
    const messages = sum(result, 'messages')
    return {
      messages_per_s: messages / sum(result, 'seconds'),
      cpu_us_per_message: cpuUs / Math.max(1, messages),
      errors: sum(result, 'errors'),
    }
  },
}

const tcpThroughput: Work = {
  name: 'tcp-throughput',
  what: 'bytes through one hop, four connections',
  topology: 'tcp-hop',
  measure: async (serving, pace) => {
    const { result, cpuUs } = await loaded(serving, pace, (seconds) =>
      program('tcp-load', [serving.port, 4, seconds, 'download'], seconds),
    )
    const megabytes = sum(result, 'bytes') / 1e6
    return {
      mb_per_s: megabytes / sum(result, 'seconds'),
      cpu_us_per_mb: cpuUs / megabytes,
      errors: sum(result, 'errors'),
    }
  },
}

const tcpConnections: Work = {
  name: 'tcp-connections',
  what: 'TCP connections through one hop: dial, one line and its echo, close; 64 at a time',
  topology: 'tcp-hop',
  measure: async (serving, pace) => {
    const { result, cpuUs } = await loaded(serving, pace, (seconds) =>
      program('tcp-load', [serving.port, 64, seconds, 'dial'], seconds),
    )
    const count = sum(result, 'count')
    return {
      connections_per_s: count / sum(result, 'seconds'),
      cpu_us_per_connection: cpuUs / Math.max(1, count),
      p99_us: sum(result, 'p99_us'),
      errors: sum(result, 'errors'),
    }
  },
}

/** `openssl s_time` knows one connection at a time, and whole seconds. */
async function handshakes(port: number, seconds: number, kind: '-new' | '-reuse'): Promise<Result> {
  const wholeSeconds = Math.max(1, Math.round(seconds))
  const args = [
    's_time',
    '-connect',
    `127.0.0.1:${port}`,
    kind,
    kind === '-new' ? '-tls1_3' : '-tls1_2',
    '-time',
    `${wholeSeconds}`,
  ]
  const startedMs = performance.now()
  const outputs = await Promise.all(
    [1, 2, 3, 4].map(() => run('openssl', args, (wholeSeconds + 20) * 1_000).catch(() => '')),
  )
  const counts = outputs.map((output) => Number(/(\d+) connections in \d+ real seconds/.exec(output)?.[1] ?? 0))
  return {
    seconds: (performance.now() - startedMs) / 1_000,
    count: counts.reduce((total, count) => total + count, 0),
    errors: counts.filter((count) => count === 0).length,
  }
}

function tlsHandshakes(name: string, what: string, kind: '-new' | '-reuse'): Work {
  const measure = async (serving: Serving, pace: Pace): Promise<Sample> => {
    const { result, cpuUs } = await loaded(serving, pace, (seconds) => handshakes(serving.port, seconds, kind))
    const count = sum(result, 'count')
    return {
      handshakes_per_s: count / sum(result, 'seconds'),
      cpu_us_per_handshake: cpuUs / Math.max(1, count),
      errors: sum(result, 'errors'),
    }
  }
  return { name, what, topology: 'tls-front', measure }
}

const memory: Work = {
  name: 'memory',
  what: 'resident memory: idle, per further workload, per idle connection, and how it grows while a huge body goes to a slow reader',
  topology: 'memory',
  once: true,
  measure: measureMemory,
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
  http('policies-64', 'two mTLS hops, 64 connections: each policy alone, and all on one route', 'policy-hops', {
    connections: 64,
  }),
  grpcUnary,
  grpcStreaming,
  tcpThroughput,
  tcpConnections,
  tlsHandshakes(
    'tls-handshakes',
    'new TLS 1.3 connections to a gateway, P-256; the load costs about as much, so read the CPU time',
    '-new',
  ),
  tlsHandshakes(
    'tls-handshakes-resumed',
    'TLS 1.2 connections to a gateway that offer the session of the one before; the client of openssl resumes no other',
    '-reuse',
  ),
  memory,
]

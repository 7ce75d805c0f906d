// One run: back ends and certificates, every proxy on every work in turns.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { freePorts } from '../test/kit/free-ports.ts'
import { makeCertificates } from './certificates.ts'
import { native } from './native.ts'
import type { BenchOptions } from './options.ts'
import { loadCore, start, type Started, untilListening } from './processes.ts'
import type { Bench, ProxyUnderTest, Serving, Topology } from './proxy-under-test.ts'
import { machine, type Measured, type Report, type Row, rowsOf, table } from './report.ts'
import type { Pace, Sample, Work } from './works.ts'

export interface Session {
  readonly bench: Bench
  stop(): Promise<void>
}

export async function openSession(): Promise<Session> {
  const folder = mkdtempSync(join(tmpdir(), 'heddle-bench-'))
  // What this process does itself costs the proxies nothing.
  spawnSync('taskset', ['-a', '-c', '-p', `${loadCore}`, `${process.pid}`])
  const started: Started[] = []
  const stop = async (): Promise<void> => {
    for (const one of started) await one.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const [http, outside, idle, grpc, tcp] = (await freePorts(5)) as [number, number, number, number, number]
    const backends: readonly [string, readonly string[], number][] = [
      ['backend', ['http', `${http}`], http],
      ['backend', ['http', `${outside}`], outside],
      ['backend', ['http', `${idle}`], idle],
      ['backend', ['tcp', `${tcp}`], tcp],
      ['grpc-backend', [`${grpc}`], grpc],
    ]
    for (const [program, args, port] of backends) {
      const logFile = join(folder, `${program}-${port}.log`)
      const one = start({ core: loadCore, command: native(program), args, logFile })
      started.push(one)
      await untilListening(port, one, logFile)
    }
    return {
      bench: { folder, backends: { http, outside, idle, grpc, tcp }, certificates: makeCertificates(folder) },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

export interface ReportOptions extends BenchOptions {
  readonly proxies: readonly ProxyUnderTest[]
}

/** Measures, prints a table for each work, and writes the JSON when a file is named. */
export async function report({ proxies, works, rounds, pace, json }: ReportOptions): Promise<void> {
  const samples = works.flatMap((work) =>
    proxies.filter((proxy) => proxy.topologies.includes(work.topology)).map(() => (work.once ? 8 : rounds)),
  )
  const seconds =
    samples.reduce((total, count) => total + count, 0) * (pace.seconds + pace.warmupSeconds + 0.5) +
    40 +
    samples.length * pace.firstWarmupSeconds
  console.log(`${machine()}, Node ${process.version}; ${rounds} rounds, about ${Math.ceil(seconds / 60)} minutes`)
  const rows: Row[] = []
  const terminal = process.stderr.isTTY
  await measureAll({
    proxies,
    works,
    rounds,
    pace,
    progress: (text) => process.stderr.write(terminal ? `\r\u001b[K${text}` : `${text}\n`),
    finished: (measured) => {
      const own = rowsOf(measured)
      rows.push(...own)
      if (terminal) process.stderr.write('\r\u001b[K')
      console.log(`\n${measured.work}: ${works.find((work) => work.name === measured.work)?.what}\n${table(own)}`)
    },
  })
  const result: Report = { machine: machine(), node: process.version, rows }
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(result, null, 1)}\n`)
}

interface RunOptions {
  readonly proxies: readonly ProxyUnderTest[]
  readonly works: readonly Work[]
  readonly rounds: number
  readonly pace: Pace
  readonly progress: (text: string) => void
  readonly finished: (measured: Measured) => void
}

/** Works of one topology follow each other, so that its proxies start once. */
async function measureAll(options: RunOptions): Promise<void> {
  for (const topology of new Set(options.works.map((work) => work.topology))) {
    const missing = new Map<string, string>()
    const serving = await serveAll(options, topology, missing)
    try {
      for (const work of options.works.filter((one) => one.topology === topology)) {
        const without = new Map(missing)
        const samples = await measureInTurns(options, work, serving, without)
        options.finished({ work: work.name, samples, missing: without })
      }
    } finally {
      for (const one of serving.values()) await one.stop()
    }
  }
}

async function serveAll(
  options: RunOptions,
  topology: Topology,
  missing: Map<string, string>,
): Promise<Map<string, Serving>> {
  const serving = new Map<string, Serving>()
  for (const proxy of options.proxies.filter((one) => one.topologies.includes(topology))) {
    options.progress(`${topology}: starting ${proxy.name}`)
    try {
      serving.set(proxy.name, await proxy.serve(topology))
    } catch (error) {
      missing.set(proxy.name, error instanceof Error ? error.message : String(error))
    }
  }
  return serving
}

/** Forwards, then backwards: none has the warm machine always. */
async function measureInTurns(
  options: RunOptions,
  work: Work,
  serving: ReadonlyMap<string, Serving>,
  missing: Map<string, string>,
): Promise<Map<string, Sample[]>> {
  const samples = new Map<string, Sample[]>()
  const rounds = work.once === true ? 1 : options.rounds
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? [...serving] : [...serving].toReversed()
    for (const [name, one] of order.filter(([candidate]) => !missing.has(candidate))) {
      options.progress(`${work.name}: round ${round + 1} of ${rounds}, ${name}`)
      try {
        const { pace } = options
        const warmupSeconds = round === 0 ? pace.firstWarmupSeconds : pace.warmupSeconds
        const sample = await work.measure(one, { ...pace, warmupSeconds })
        samples.set(name, [...(samples.get(name) ?? []), sample])
      } catch (error) {
        missing.set(name, error instanceof Error ? error.message : String(error))
      }
    }
  }
  return samples
}

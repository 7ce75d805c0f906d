// One run: back ends and certificates, every proxy on every work in turns.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { freePorts } from '../test/kit/free-ports.ts'
import { makeCertificates } from './certificates.ts'
import { native } from './native.ts'
import { loadCore, start, type Started, untilListening } from './processes.ts'
import type { Bench, ProxyUnderTest, Serving, Topology } from './proxy-under-test.ts'
import type { Measured } from './report.ts'
import type { Pace, Sample, Work } from './works.ts'

export interface Session {
  readonly bench: Bench
  stop(): Promise<void>
}

export async function openSession(): Promise<Session> {
  const folder = mkdtempSync(join(tmpdir(), 'heddle-bench-'))
  const started: Started[] = []
  const stop = async (): Promise<void> => {
    for (const one of started) await one.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const [http, tcpEcho, tcpSink, grpc] = (await freePorts(4)) as [number, number, number, number]
    for (const [mode, port] of [
      ['http', http],
      ['echo', tcpEcho],
      ['sink', tcpSink],
    ] as const) {
      const logFile = join(folder, `backend-${mode}.log`)
      const one = start({ core: loadCore, command: native('backend'), args: [mode, `${port}`], logFile })
      started.push(one)
      await untilListening(port, one, logFile)
    }
    return {
      bench: { folder, backends: { http, grpc, tcpEcho, tcpSink }, certificates: makeCertificates(folder) },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

export interface RunOptions {
  readonly proxies: readonly ProxyUnderTest[]
  readonly works: readonly Work[]
  readonly rounds: number
  readonly pace: Pace
  readonly progress: (text: string) => void
  readonly finished: (measured: Measured) => void
}

/** Works of one topology follow each other, so that its proxies start once. */
export async function measureAll(options: RunOptions): Promise<void> {
  for (const topology of new Set(options.works.map((work) => work.topology))) {
    const missing = new Map<string, string>()
    const serving = await serveAll(options, topology, missing)
    try {
      for (const work of options.works.filter((one) => one.topology === topology)) {
        const samples = await measureInTurns(options, work, serving)
        options.finished({ work: work.name, samples, missing })
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
): Promise<Map<string, Sample[]>> {
  const samples = new Map<string, Sample[]>([...serving.keys()].map((name) => [name, []]))
  for (let round = 0; round < options.rounds; round++) {
    const order = round % 2 === 0 ? [...serving] : [...serving].toReversed()
    for (const [name, one] of order) {
      options.progress(`${work.name}: round ${round + 1} of ${options.rounds}, ${name}`)
      samples.get(name)?.push(await work.measure(one, options.pace))
    }
  }
  return samples
}

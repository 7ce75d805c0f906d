// Heddle as it is in production: `heddle up --isolate` on bench/mesh, every process that a request passes pinned to the proxies' core.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { MeshState } from '../src/contracts/mesh-state.ts'
import { freePorts } from '../test/kit/free-ports.ts'
import { loadCore, processTree, proxyCore, start, type Started } from './processes.ts'
import { type Bench, type ProxyUnderTest, type Serving, topologies, type Topology } from './proxy-under-test.ts'

export interface HeddleOptions {
  readonly name: string
  /** A checkout with its dependencies. */
  readonly tree: string
  /** For every process of the mesh. */
  readonly env?: Readonly<Record<string, string>>
}

interface Mesh {
  readonly supervisor: Started
  readonly state: MeshState
  readonly edge: number
}

export class Heddle implements ProxyUnderTest {
  readonly name: string
  readonly topologies: readonly Topology[] = topologies
  readonly #options: HeddleOptions
  readonly #bench: Bench
  #mesh: Promise<Mesh> | undefined

  constructor(options: HeddleOptions, bench: Bench) {
    this.name = options.name
    this.#options = options
    this.#bench = bench
  }

  async serve(topology: Topology): Promise<Serving> {
    const mesh = await (this.#mesh ??= this.#start())
    const { port, proxies } = this.#place(topology, mesh)
    return {
      port,
      pids: () => proxyProcesses(mesh.supervisor.pid, proxies),
      stop: async () => {}, // one mesh serves all
    }
  }

  async stop(): Promise<void> {
    const mesh = await this.#mesh?.catch(() => undefined)
    await mesh?.supervisor.stop()
  }

  #place(topology: Topology, mesh: Mesh): { port: number; proxies: readonly string[] } {
    if (topology === 'plain-hop') return { port: mesh.edge, proxies: ['gateway~default~edge'] }
    if (topology === 'mtls-hops') {
      const client = mesh.state.workloads.find((workload) => workload.name === 'client')
      const address = client?.services.find((service) => service.name === 'app')?.address ?? ''
      return { port: Number(address.split(':')[1]), proxies: ['sidecar~default~client', 'sidecar~default~app'] }
    }
    throw new Error(`heddle has no ${topology} in this benchmark yet`)
  }

  async #start(): Promise<Mesh> {
    const folder = join(this.#bench.folder, this.name)
    mkdirSync(folder)
    const [edge, base] = (await freePorts(2)) as [number, number]
    const values: Record<string, number> = { HTTP: this.#bench.backends.http, EDGE: edge }
    const source = join(import.meta.dirname, 'mesh')
    for (const file of readdirSync(source)) {
      const text = readFileSync(join(source, file), 'utf8').replaceAll(
        /\b([A-Z]+)_PORT\b/g,
        (_, name: string) => `${values[name]}`,
      )
      writeFileSync(join(folder, file), text)
    }
    const stateDir = join(folder, 'state')
    const logFile = join(folder, 'up.log')
    const supervisor = start({
      core: loadCore,
      command: join(this.#options.tree, 'heddle'),
      args: [
        'up',
        '-f',
        folder,
        '--state-dir',
        stateDir,
        '--port-base',
        `${20_000 + (base % 10_000)}`,
        '--isolate',
        '--no-dashboard',
      ],
      logFile,
      ...(this.#options.env === undefined ? {} : { env: this.#options.env }),
    })
    try {
      const state = await untilReady(stateDir, logFile)
      for (const pid of proxyProcesses(supervisor.pid, []))
        spawnSync('taskset', ['-a', '-c', '-p', `${proxyCore}`, `${pid}`])
      return { supervisor, state, edge }
    } catch (error) {
      await supervisor.stop()
      throw error
    }
  }
}

async function untilReady(stateDir: string, logFile: string): Promise<MeshState> {
  for (let i = 0; i < 300; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100))
    const text = readIfThere(join(stateDir, 'mesh.json'))
    if (text === undefined) continue
    const state = JSON.parse(text) as MeshState
    if (state.workloads.length > 0 && state.workloads.every((workload) => workload.ready)) return state
  }
  throw new Error(`the mesh is not ready: ${readIfThere(logFile)?.trim().slice(-500)}`)
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

/** The processes of these proxies; of all proxies when none is named. */
export function proxyProcesses(supervisor: number, names: readonly string[]): number[] {
  return processTree(supervisor).filter((pid) => {
    const command = readIfThere(`/proc/${pid}/cmdline`)?.split('\0') ?? []
    if (!command.includes('proxy') || !command.includes('--bootstrap')) return false
    return names.length === 0 || names.some((name) => command.some((word) => word.endsWith(`/${name}.json`)))
  })
}

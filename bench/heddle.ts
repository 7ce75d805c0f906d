// Heddle as it is in production: `heddle up` on bench/mesh, every process that a request passes pinned to the proxies' core.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { MeshState } from '../src/contracts/mesh-state.ts'
import { freePorts } from '../test/kit/free-ports.ts'
import { loadCore, processTree, proxyCore, start, type Started } from './processes.ts'
import { type Bench, type ProxyUnderTest, type Serving, topologies, type Topology } from './proxy-under-test.ts'

export interface HeddleOptions {
  readonly name: string
  /** A checkout with its dependencies. */
  readonly tree: string
  /** A file of documents besides bench/mesh. */
  readonly documents?: string
  /** What becomes of the documents of bench/mesh; absent: they stay as they are. */
  readonly rewrite?: (text: string) => string
  readonly topologies?: readonly Topology[]
  /** For every process of the mesh. */
  readonly env?: Readonly<Record<string, string>>
}

interface Mesh {
  readonly supervisor: Started
  readonly stateDir: string
  readonly folder: string
  readonly state: MeshState
  readonly ports: Readonly<Record<string, number>>
}

export class Heddle implements ProxyUnderTest {
  readonly name: string
  readonly topologies: readonly Topology[]
  readonly #options: HeddleOptions
  readonly #bench: Bench
  #meshes = 0

  constructor(options: HeddleOptions, bench: Bench) {
    this.name = options.name
    this.topologies = options.topologies ?? topologies
    this.#options = options
    this.#bench = bench
  }

  async serve(topology: Topology): Promise<Serving> {
    if (topology === 'memory') return this.#serveShared()
    const mesh = await this.#start(topology, ['--isolate'])
    try {
      const { port, proxies } = place(topology, mesh)
      const pids = (): readonly number[] => proxyProcesses(mesh.supervisor.pid, proxies)
      pids() // a missing one is told now
      return { port, pids, stop: () => mesh.supervisor.stop() }
    } catch (error) {
      await mesh.supervisor.stop()
      throw error
    }
  }

  /** One process for all sidecars and gateways, as `heddle up` starts it, with nothing measured before. */
  async #serveShared(): Promise<Serving> {
    const mesh = await this.#start('memory', [])
    return {
      port: mesh.ports['EDGE'] as number,
      pids: () => proxyProcesses(mesh.supervisor.pid, ['shared']),
      stop: () => mesh.supervisor.stop(),
      addWorkloads: async (count) => {
        writeFileSync(join(mesh.folder, 'more.yaml'), furtherWorkloads(count, this.#bench.backends.http))
        await untilReady(mesh.stateDir, `${mesh.folder}.log`, mesh.state.workloads.length + count)
      },
    }
  }

  async #start(topology: Topology, args: readonly string[]): Promise<Mesh> {
    const folder = join(this.#bench.folder, `${this.name}-${this.#meshes++}`)
    mkdirSync(folder)
    const [edge, bytes, secure, base] = (await freePorts(4)) as [number, number, number, number]
    const { backends, certificates } = this.#bench
    const ports = {
      HTTP: backends.http,
      OUTSIDE: backends.outside,
      IDLE: backends.idle,
      GRPC: backends.grpc,
      TCP: backends.tcp,
      EDGE: edge,
      BYTES: bytes,
      SECURE: secure,
    }
    const files = { CERTIFICATE: certificates.server, KEY: certificates.serverKey }
    const { documents: further, rewrite = (text: string): string => text } = this.#options
    const texts = documents(topology, further).map((file) =>
      rewrite(readFileSync(file, 'utf8'))
        .replaceAll(/\b([A-Z]+)_PORT\b/g, (_, name: string) => `${ports[name as keyof typeof ports]}`)
        .replaceAll(/\b([A-Z]+)_BASE64\b/g, (_, name: string) =>
          readFileSync(files[name as keyof typeof files], 'base64'),
        ),
    )
    for (const [i, text] of texts.entries()) writeFileSync(join(folder, `${i}.yaml`), text)
    const workloads = texts.join('\n').match(/^kind: Workload$/gm)?.length ?? 0
    const stateDir = `${folder}-state`
    const logFile = `${folder}.log`
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
        '--no-dashboard',
        ...args,
      ],
      logFile,
      ...(this.#options.env === undefined ? {} : { env: this.#options.env }),
    })
    try {
      const state = await untilReady(stateDir, logFile, workloads)
      for (const pid of proxyProcesses(supervisor.pid, []))
        spawnSync('taskset', ['-a', '-c', '-p', `${proxyCore}`, `${pid}`])
      return { supervisor, state, ports, folder, stateDir }
    } catch (error) {
      await supervisor.stop()
      throw error
    }
  }
}

/** Only what the topology needs: what Heddle does not know yet fails there, and nowhere else. */
function documents(topology: Topology, further: string | undefined): string[] {
  const needed: Readonly<Record<Topology, readonly string[]>> = {
    'plain-hop': ['mesh'],
    'mtls-hops': ['mesh'],
    'policy-hops': ['mesh'],
    'grpc-hops': ['mesh', 'grpc'],
    'tcp-hop': ['tcp'],
    'tls-front': ['mesh', 'tls'],
    memory: ['mesh'],
  }
  const files = needed[topology].map((name) => join(import.meta.dirname, 'mesh', `${name}.yaml`))
  return further === undefined ? files : [...files, further]
}

/** Where requests enter, and the proxies that they pass. */
function place(topology: Topology, mesh: Mesh): { port: number; proxies: readonly string[] } {
  const gateway: Partial<Record<Topology, readonly [string, string]>> = {
    'plain-hop': ['EDGE', 'edge'],
    'tcp-hop': ['BYTES', 'bytes'],
    'tls-front': ['SECURE', 'secure'],
  }
  const [port, name] = gateway[topology] ?? []
  if (port !== undefined) return { port: mesh.ports[port] as number, proxies: [`gateway~default~${name}`] }
  const service = topology === 'grpc-hops' ? 'grpc-app' : 'app'
  const client = mesh.state.workloads.find((workload) => workload.name === 'client')
  const address = client?.services.find((one) => one.name === service)?.address
  if (address === undefined) throw new Error(`the client's sidecar has no listener for ${service}`)
  return { port: Number(address.split(':').at(-1)), proxies: ['sidecar~default~client', `sidecar~default~${service}`] }
}

/** Workloads with a Service each, all before the same application. */
function furtherWorkloads(count: number, port: number): string {
  return Array.from(
    { length: count },
    (_, i) => `apiVersion: heddle.dev/v1alpha1
kind: Workload
metadata: { name: more-${i}, labels: { app: more-${i} } }
spec: { serviceAccount: more-${i}, address: 127.0.0.1, ports: [{ name: http, port: ${port} }] }
---
apiVersion: v1
kind: Service
metadata: { name: more-${i} }
spec: { selector: { app: more-${i} }, ports: [{ name: http, port: 80, targetPort: http }] }
`,
  ).join('---\n')
}

async function untilReady(stateDir: string, logFile: string, workloads: number): Promise<MeshState> {
  for (let i = 0; i < 200; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100))
    const text = readIfThere(join(stateDir, 'mesh.json'))
    if (text === undefined) continue
    const state = JSON.parse(text) as MeshState
    if (state.workloads.length >= workloads && state.workloads.every((workload) => workload.ready)) return state
  }
  throw new Error(`the mesh is not ready: ${readIfThere(logFile)?.trim().split('\n').at(-1)}`)
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

/** The processes of these proxies; of all proxies when none is named. */
function proxyProcesses(supervisor: number, names: readonly string[]): number[] {
  const found = processTree(supervisor).filter((pid) => {
    const command = readIfThere(`/proc/${pid}/cmdline`)?.split('\0') ?? []
    if (!command.includes('proxy') || !command.includes('--bootstrap')) return false
    return names.length === 0 || names.some((name) => command.some((word) => word.endsWith(`/${name}.json`)))
  })
  if (found.length < names.length) throw new Error(`no process runs ${names.join(' and ')}`)
  return found
}

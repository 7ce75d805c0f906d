// A mesh as its users start it: `heddle up` in a process of its own, in a state directory of its own.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

import type { GatewayState, MeshState, WorkloadState } from '../../src/contracts/mesh-state.ts'

const root = join(import.meta.dirname, '../..')

export interface MeshOptions {
  /** Files and folders for `-f`. */
  readonly files: readonly string[]
  readonly args?: readonly string[]
  readonly readyTimeoutMs?: number
}

export class MeshProcess implements AsyncDisposable {
  readonly stateDir: string
  readonly #child: ChildProcess
  readonly #exited: Promise<number | null>
  #output = ''

  private constructor(child: ChildProcess, stateDir: string) {
    this.stateDir = stateDir
    this.#child = child
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (bytes: Buffer) => {
        this.#output = (this.#output + bytes.toString()).slice(-64 * 1024)
      })
    }
    this.#exited = new Promise((exited) => child.once('close', exited))
    // whatever ends this process, the mesh ends with it
    process.once('exit', () => this.#killAll())
  }

  /** Answers when every workload is ready; throws with the mesh's output when it ends before that, or is too late (30 s). */
  static async start({ files, args = [], readyTimeoutMs = 30_000 }: MeshOptions): Promise<MeshProcess> {
    const stateDir = mkdtempSync(join(tmpdir(), 'heddle-mesh-'))
    // what ./heddle runs, without its look at the installation
    const command = ['src/bin/heddle.ts', 'up', ...files.flatMap((file) => ['-f', file]), '--state-dir', stateDir]
    const portBase = 20_000 + Math.floor(Math.random() * 80) * 150
    const child = spawn(
      process.execPath,
      [...command, '--port-base', String(portBase), '--no-dashboard', ...args],
      // its own process group: what a failing test leaves behind can be ended at once
      { cwd: root, detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NO_COLOR: '1' } },
    )
    const mesh = new MeshProcess(child, stateDir)
    const untilMs = performance.now() + readyTimeoutMs
    while (!mesh.#isReady()) {
      if (child.exitCode !== null) throw new Error(`heddle up ended with ${child.exitCode}:\n${mesh.output}`)
      if (performance.now() > untilMs) {
        mesh.#killAll()
        throw new Error(`heddle up was not ready within ${readyTimeoutMs} ms:\n${mesh.output}`)
      }
      await wait(25)
    }
    return mesh
  }

  /** The last 64 KiB of what it printed. */
  get output(): string {
    return this.#output
  }

  get state(): MeshState {
    return JSON.parse(readFileSync(join(this.stateDir, 'mesh.json'), 'utf8')) as MeshState
  }

  workload(name: string, namespace = 'default'): WorkloadState {
    const found = this.state.workloads.find((one) => one.name === name && one.namespace === namespace)
    if (found === undefined) throw new Error(`mesh.json has no workload ${namespace}/${name}`)
    return found
  }

  gateway(name: string, listener: string): GatewayState {
    const found = this.state.gateways.find((one) => one.name === name && one.listener === listener)
    if (found === undefined) throw new Error(`mesh.json has no gateway ${name} with listener ${listener}`)
    return found
  }

  /** As Ctrl-C does it. Answers the exit code, null after 20 s of waiting and a kill. */
  async stop(): Promise<number | null> {
    this.#child.kill('SIGINT')
    const code = await Promise.race([this.#exited, wait(20_000, undefined, { ref: false })])
    this.#killAll()
    rmSync(this.stateDir, { recursive: true, force: true })
    return code ?? null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  #isReady(): boolean {
    return existsSync(join(this.stateDir, 'mesh.json')) && this.state.workloads.every(({ ready }) => ready)
  }

  #killAll(): void {
    try {
      process.kill(-(this.#child.pid ?? Number.NaN), 'SIGKILL')
    } catch {
      // all gone already
    }
  }
}

// A real mesh for a test: `./heddle up` on a folder of documents, in a temporary state directory, stopped with everything it started.
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { MeshState, WorkloadState } from '../../src/contracts/mesh-state.ts'

const heddle = new URL('../../heddle', import.meta.url).pathname

export interface RunningMesh {
  readonly state: MeshState
  readonly stateDir: string
  /** Process id of the supervisor. */
  readonly pid: number
  /** Everything `up` printed so far. */
  output(): string
  workload(name: string, namespace?: string): WorkloadState
  /** Reads mesh.json again. */
  reload(): Promise<MeshState>
  /** Ctrl-C, and waits until the whole tree is gone. Resolves with the exit code. */
  stop(): Promise<number | null>
}

export interface MeshOptions {
  /** Files or folders given to `up -f`. */
  readonly files: readonly string[]
  readonly args?: readonly string[]
  /** Absent: without. */
  readonly dashboard?: boolean
  readonly readyWithinMs?: number
  /** Besides this process's own. */
  readonly env?: Readonly<Record<string, string>>
}

export async function startMesh(options: MeshOptions): Promise<RunningMesh> {
  const stateDir = await mkdtemp(join(tmpdir(), 'heddle-'))
  const args = [
    'up',
    ...options.files.flatMap((file) => ['-f', file]),
    '--state-dir',
    stateDir,
    ...(options.dashboard === true ? [] : ['--no-dashboard']),
    ...(options.args ?? []),
  ]
  const child = spawn(heddle, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: false,
    env: { ...process.env, ...options.env },
  })
  let output = ''
  child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()))
  child.stderr.on('data', (bytes: Buffer) => (output += bytes.toString()))
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const stop = (): Promise<number | null> => stopChild(child, exited, stateDir)
  const reload = async (): Promise<MeshState> =>
    JSON.parse(await readFile(join(stateDir, 'mesh.json'), 'utf8')) as MeshState
  try {
    await eventually(async () => {
      if (child.exitCode !== null) throw new Stop(`up ended with ${child.exitCode}:\n${output}`)
      const state = await reload()
      const waiting = state.workloads.filter((workload) => !workload.ready)
      if (waiting.length > 0) throw new Error(`not ready: ${waiting.map((workload) => workload.name).join(', ')}`)
    }, options.readyWithinMs ?? 30_000)
  } catch (error) {
    await stop()
    throw new Error(`${String(error)}\n${output}`, { cause: error })
  }
  const state = await reload()
  return {
    state,
    stateDir,
    pid: child.pid as number,
    output: () => output,
    workload(name, namespace = 'default') {
      const found = state.workloads.find((one) => one.name === name && one.namespace === namespace)
      if (found === undefined) throw new Error(`no workload ${namespace}/${name} in mesh.json`)
      return found
    },
    reload,
    stop,
  }
}

async function stopChild(
  child: ChildProcess,
  exited: Promise<number | null>,
  stateDir: string,
): Promise<number | null> {
  if (child.exitCode === null) child.kill('SIGINT')
  const code = await exited
  await rm(stateDir, { recursive: true, force: true })
  return code
}

/** Thrown inside `eventually` to give up at once. */
export class Stop extends Error {}

/** Repeats `check` until it no longer throws; rejects with its last error after `withinMs`. */
export async function eventually<T>(check: () => Promise<T> | T, withinMs: number): Promise<T> {
  const untilMs = performance.now() + withinMs
  for (;;) {
    try {
      return await check()
    } catch (error) {
      if (error instanceof Stop || performance.now() > untilMs) throw error
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
  }
}

/** A folder with one file of documents, for tests that edit it. Returns the file. */
export async function meshFile(text: string): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), 'heddle-mesh-')), 'mesh.yaml')
  await writeFile(file, text)
  return file
}

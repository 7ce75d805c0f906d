// A supervisor over stand-ins, as a process of its own: `main` below is that process, `startSupervised` starts it.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { CliHost } from '../../../src/cli/host.ts'
import { Output } from '../../../src/cli/output.ts'
import { createHealthProbe } from '../../../src/cli/up/health-probe.ts'
import { probeConnect } from '../../../src/cli/up/port-watch.ts'
import { lockStateDir } from '../../../src/cli/up/state-lock.ts'
import { supervise } from '../../../src/cli/up/up-verb.ts'
import type { DesiredSidecar, DesiredState } from '../../../src/contracts/desired-state.ts'
import type { MeshState } from '../../../src/contracts/mesh-state.ts'
import { systemClock } from '../../../src/core/clock.ts'
import { errorMessage } from '../../../src/core/errors.ts'
import { createSystemRandom } from '../../../src/core/random.ts'

const here = import.meta.dirname

export interface SupervisedMesh {
  readonly stateDir: string
  readonly pid: number
  /** All it printed so far. */
  output(): string
  /** mesh.json; undefined while there is none. */
  mesh(): MeshState | undefined
  want(state: DesiredState): void
  log(name: string): string
  kill(signal: NodeJS.Signals): void
  readonly exited: Promise<number | null>
  /** Stops it if it runs, and removes its folder. */
  clean(): Promise<void>
}

export function startSupervised(state: DesiredState | undefined, options: { isolate?: boolean } = {}): SupervisedMesh {
  const stateDir = mkdtempSync(join(tmpdir(), 'heddle-up-'))
  const desiredFile = join(stateDir, 'desired.json')
  const want = (next: DesiredState): void => {
    writeFileSync(`${desiredFile}.new`, JSON.stringify(next))
    renameSync(`${desiredFile}.new`, desiredFile)
  }
  if (state !== undefined) want(state)
  const args = [import.meta.filename, stateDir, desiredFile, options.isolate === true ? 'isolate' : 'shared']
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, http_proxy: 'http://127.0.0.1:9', NO_COLOR: '1' },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (output += bytes.toString()))
  const exited = new Promise<number | null>((done) => child.once('exit', done))
  return {
    stateDir,
    pid: child.pid as number,
    output: () => output,
    mesh() {
      const file = join(stateDir, 'mesh.json')
      return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as MeshState) : undefined
    },
    want,
    log: (name) => readFileSync(join(stateDir, 'logs', `${name}.log`), 'utf8'),
    kill: (signal) => void child.kill(signal),
    exited,
    async clean() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      await exited
      rmSync(stateDir, { recursive: true, force: true })
    },
  }
}

export function workload(name: string, port: number, env: Record<string, string> = {}): DesiredSidecar {
  return {
    kind: 'sidecar',
    namespace: 'default',
    name,
    spiffeId: `spiffe://test/ns/default/sa/${name}`,
    adminAddress: '127.0.0.1:1',
    metricsAddress: '127.0.0.1:1',
    applicationPorts: [{ host: '127.0.0.1', port }],
    application: {
      command: [process.execPath, join(here, 'stand-in-application.ts')],
      workingDirectory: here,
      env: { PORT: String(port), HEDDLE_WORKLOAD: `default/${name}`, ...env },
      fingerprint: JSON.stringify([port, env]),
    },
  }
}

/** Of the newest start of that application. */
export function applicationPid(mesh: SupervisedMesh, name: string): number {
  const pids = [...mesh.log(`default.${name}`).matchAll(/is process (\d+)/g)].map(([, pid]) => Number(pid))
  return pids.at(-1) ?? 0
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function main([stateDir = '', desiredFile = '', mode = '']: readonly string[]): Promise<void> {
  const host: CliHost = {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    workingDirectory: process.cwd(),
    clock: systemClock,
    random: createSystemRandom(),
    pid: process.pid,
    selfCommand: [process.execPath],
    kill(pid, signal) {
      try {
        return process.kill(pid, signal)
      } catch {
        return false
      }
    },
    onSignal(signals, listener) {
      for (const signal of signals) process.on(signal, listener)
      return () => {
        for (const signal of signals) process.off(signal, listener)
      }
    },
  }
  const roles = { controlPlane: () => Promise.resolve(), proxy: () => Promise.resolve() }
  try {
    const lock = lockStateDir(stateDir, process.pid)
    process.exitCode = await supervise(
      { host, output: new Output(host), roles },
      {
        stateDir,
        controlPlaneCommand: [process.execPath, join(here, 'stand-in-control-plane.ts'), stateDir, desiredFile],
        proxyCommand: [process.execPath, join(here, 'stand-in-proxy.ts')],
        isolate: mode === 'isolate',
        drainDeadlineMs: 10_000,
        probe: probeConnect,
        askHealth: createHealthProbe(host.clock),
      },
      { live: false, verbose: false },
    )
    lock.release()
  } catch (error) {
    console.error(errorMessage(error))
    process.exitCode = 2
  }
}

if (import.meta.main) await main(process.argv.slice(2))

// `heddle up --detach`: the same supervisor in the background; this process returns when the mesh is ready.
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

import { formatProblem } from '../../contracts/problem.ts'
import { certificateAuthorityArguments } from '../certificate-authority.ts'
import { CliError, type ExitCode } from '../cli-error.ts'
import type { CliContext } from '../context.ts'
import { ControlPlaneClient } from '../mesh/control-plane-client.ts'
import { readMeshState } from '../mesh/running-mesh.ts'
import { addressLines, workloadTable } from '../verbs/ps.ts'
import { applicationEnvironment } from './heddle-environment.ts'
import { runningSupervisor } from './state-lock.ts'
import type { UpOptions } from './up-verb.ts'

interface UpMessage {
  readonly type: 'up'
  readonly ready: boolean
}

export async function detach(context: CliContext, stateDir: string, options: UpOptions): Promise<ExitCode> {
  const { host, output } = context
  const running = runningSupervisor(stateDir)
  if (running !== undefined) {
    throw new CliError(`a mesh is running on ${stateDir} already (process ${running})`, {
      hint: 'stop it with `heddle down`, or choose another folder with --state-dir',
    })
  }
  const logFile = join(stateDir, 'logs', 'up.log')
  mkdirSync(join(stateDir, 'logs'), { recursive: true, mode: 0o700 })
  const log = openSync(logFile, 'w', 0o600)
  const [program, ...self] = host.selfCommand
  const child = spawn(program, [...self, ...attachedArguments(host.workingDirectory, stateDir, options)], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
    cwd: host.workingDirectory,
    env: applicationEnvironment(host.env),
  })
  closeSync(log)
  const unsubscribe = host.onSignal(['SIGINT', 'SIGTERM'], () => child.kill('SIGTERM'))
  const message = await new Promise<UpMessage | undefined>((done) => {
    child.once('message', (received) => done(received as UpMessage))
    child.once('exit', () => done(undefined))
  })
  unsubscribe()
  if (message === undefined) {
    output.note(readFileSync(logFile, 'utf8').trimEnd())
    return child.exitCode === 1 ? 1 : 2
  }
  child.disconnect()
  child.unref()
  const mesh = readMeshState(context, { stateDir })
  output.table(workloadTable(mesh))
  output.line(addressLines(mesh).trimEnd())
  // this mesh, whichever one the environment speaks of
  const client = new ControlPlaneClient(mesh.adminUrl, mesh.adminToken)
  for (const problem of await client.problems()) output.note(formatProblem(problem))
  client.close()
  output.note(`running as process ${child.pid}; stop it with: heddle down --state-dir ${options.stateDir}`)
  return message.ready ? 0 : 1
}

function attachedArguments(workingDirectory: string, stateDir: string, options: UpOptions): string[] {
  return [
    'up',
    '--state-dir',
    stateDir,
    '--port-base',
    String(options.portBase),
    ...options.file.flatMap((file) => ['--file', resolve(workingDirectory, file)]),
    ...certificateAuthorityArguments(options, workingDirectory),
    ...(options.dashboardPort === undefined ? [] : ['--dashboard-port', String(options.dashboardPort)]),
    ...(options.dashboard ? [] : ['--no-dashboard']),
    ...(options.prometheus === undefined ? [] : ['--prometheus', options.prometheus]),
    '--workers',
    String(options.workers),
    '--drain-deadline',
    String(options.drainDeadline),
    ...(options.isolate ? ['--isolate'] : []),
    ...(options.sandbox ? ['--sandbox'] : []),
    ...(options.verbose ? ['--verbose'] : []),
  ]
}

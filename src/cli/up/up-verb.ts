// `heddle up`: a whole mesh in the foreground until Ctrl-C, or in the background with --detach.
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

import { formatProblem, type Problem } from '../../contracts/problem.ts'
import { PortAllocator } from '../../control/ports/port-allocator.ts'
import { claimPortBase } from '../../control/ports/port-base.ts'
import { probePort } from '../../control/ports/port-probe.ts'
import {
  certificateAuthorityArguments,
  certificateAuthorityFiles,
  type CertificateAuthorityOptions,
} from '../certificate-authority.ts'
import { CliError, type ExitCode } from '../cli-error.ts'
import type { CliContext } from '../context.ts'
import { LivePicture, pause } from '../traffic/live-picture.ts'
import { askTraffic } from '../traffic/show-traffic.ts'
import { trafficTable, trafficViews } from '../traffic/traffic-view.ts'
import { addressLines, workloadTable } from '../verbs/ps.ts'
import { detach } from './detach.ts'
import { createHealthProbe } from './health-probe.ts'
import { probeConnect } from './port-watch.ts'
import { ProblemWatch } from './problem-watch.ts'
import { Progress } from './progress.ts'
import { lockStateDir } from './state-lock.ts'
import { Supervisor, type SupervisorOptions } from './supervisor.ts'

export interface UpOptions extends CertificateAuthorityOptions {
  readonly file: readonly string[]
  readonly stateDir: string
  readonly portBase: number
  /** False: serve none. */
  readonly dashboard: boolean
  readonly dashboardPort?: number
  /** URL of a server that keeps history. */
  readonly prometheus?: string
  readonly isolate: boolean
  /** Processes that share the ports of each proxy. */
  readonly workers: number
  /** What has to do with traffic runs under Node's permission model. */
  readonly sandbox: boolean
  /** Seconds. */
  readonly drainDeadline: number
  readonly transparent: boolean
  readonly detach: boolean
  readonly live: boolean
  readonly verbose: boolean
}

export async function up(context: CliContext, options: UpOptions): Promise<ExitCode> {
  if (options.transparent) {
    throw new CliError('--transparent is not supported yet', {
      hint: 'leave it out: applications reach the mesh through http_proxy and <SVC>_SERVICE_HOST',
    })
  }
  const { host } = context
  for (const file of options.file) {
    if (existsSync(resolve(host.workingDirectory, file))) continue
    throw new CliError(`HDL001: there is no file or folder ${file}`, { hint: 'check the path given to -f' })
  }
  certificateAuthorityFiles(options, host.workingDirectory)
  const stateDir = resolve(host.workingDirectory, options.stateDir)
  if (options.detach) return detach(context, stateDir, options)
  const lock = lockStateDir(stateDir, host.pid)
  const claim = await claimPortBase(options.portBase)
  try {
    const { portBase } = claim
    const file = join(stateDir, 'ports.json')
    await new PortAllocator({ file, portBase, clock: host.clock, probe: probePort }).dropTaken()
    return await supervise(context, supervisorOptions(context, stateDir, { ...options, portBase }), options)
  } finally {
    claim.release()
    lock.release()
  }
}

function supervisorOptions({ host }: CliContext, stateDir: string, options: UpOptions): SupervisorOptions {
  const files = options.file.flatMap((file) => ['--file', resolve(host.workingDirectory, file)])
  const dashboardPort = options.dashboardPort === undefined ? [] : ['--dashboard-port', String(options.dashboardPort)]
  return {
    stateDir,
    controlPlaneCommand: [
      ...host.selfCommand,
      'control-plane',
      '--state-dir',
      stateDir,
      '--port-base',
      String(options.portBase),
      ...(options.dashboard ? ['--dashboard', ...dashboardPort] : []),
      ...(options.prometheus === undefined ? [] : ['--prometheus', options.prometheus]),
      ...certificateAuthorityArguments(options, host.workingDirectory),
      ...files,
    ],
    proxyCommand: [
      ...host.selfCommand,
      'proxy',
      '--workers',
      String(options.workers),
      ...(options.sandbox ? ['--sandbox'] : []),
    ],
    isolate: options.isolate,
    drainDeadlineMs: options.drainDeadline * 1000,
    probe: probeConnect,
    askHealth: createHealthProbe(host.clock),
  }
}

/** Until a signal says stop, or what was started can never work. */
export async function supervise(
  context: CliContext,
  tree: SupervisorOptions,
  options: Pick<UpOptions, 'live' | 'verbose'>,
): Promise<ExitCode> {
  const { host, output } = context
  const progress = new Progress(host)
  /** Resolves with why, when it was not asked for. */
  const end = Promise.withResolvers<CliError | undefined>()
  const problems = new ProblemWatch({
    clock: host.clock,
    ask: () => supervisor.problems(),
    say: (text) => {
      if (!options.live) progress.say(text)
    },
  })
  const supervisor = new Supervisor(host, tree, {
    progress: (text) => progress.show(text),
    notice: (text) => progress.say(text),
    warning: (text) => progress.say(`${output.colors.yellow('warning')}: ${text}`),
    applicationLine: (workload, line) => {
      if (options.verbose) progress.say(`${output.colors.cyan(workload)} | ${line}`)
    },
    failed: (error) => end.resolve(error),
    settled: () => void announce(),
  })
  const announce = async (): Promise<void> => {
    progress.clear()
    const known = await supervisor.problems().catch((): readonly Problem[] => [])
    printMesh(context, supervisor, known)
    host.parent?.send({ type: 'up', ready: supervisor.isWell })
    problems.start(known)
    if (options.live) await showTraffic(context, supervisor, problems, end.promise)
  }
  const unsubscribeRestart = host.onSignal(['SIGUSR2'], () => void supervisor.restartProxies())
  let signals = 0
  const unsubscribe = host.onSignal(['SIGINT', 'SIGTERM', 'SIGHUP'], (signal) => {
    signals++
    if (signals === 1) progress.show(`${signal}: draining; once more to stop at once`)
    else supervisor.killAll()
    end.resolve(undefined)
  })
  supervisor.start()
  const failure = await end.promise
  problems.stop()
  await supervisor.stop()
  progress.clear()
  unsubscribe()
  unsubscribeRestart()
  if (failure !== undefined) throw failure
  return 0
}

/** Until the mesh ends. A terminal keeps the addresses and the problems in sight above the table. */
async function showTraffic(
  context: CliContext,
  supervisor: Supervisor,
  problems: ProblemWatch,
  end: Promise<unknown>,
): Promise<void> {
  const first = supervisor.mesh
  if (first === undefined) return
  const aborting = new AbortController()
  void end.then(() => aborting.abort())
  const { signal } = aborting
  const { output } = context
  const picture = new LivePicture(context, { onOwnScreen: false })
  const head = (): string => {
    const lines = problems.texts.map((text) => output.colors.red(output.text(text.split('\n', 1)[0] ?? '')))
    return `${addressLines(supervisor.mesh ?? first).trimStart()}${lines.map((line) => `${line}\n`).join('')}\n`
  }
  const { stat } = trafficViews
  while (!signal.aborted) {
    // a control plane that is away starts again
    const shown = await askTraffic(supervisor, stat, undefined, { window: 10_000, ago: 0 }).catch(() => undefined)
    if (shown !== undefined && !signal.aborted) {
      const table = output.renderTable(trafficTable(stat, shown.sums, output))
      picture.draw(picture.isTerminal ? `${head()}${table}` : table)
    }
    await pause(context, picture.isTerminal ? 1000 : 5000, signal)
  }
  picture.close()
}

function printMesh({ output }: CliContext, { mesh }: Supervisor, problems: readonly Problem[]): void {
  if (mesh === undefined) return
  output.table(workloadTable(mesh))
  output.line(addressLines(mesh).trimEnd())
  for (const problem of problems) output.note(formatProblem(problem))
}

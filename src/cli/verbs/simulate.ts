// `heddle simulate`: what a mesh makes of a scenario, without a mesh; exits with 1 when what the scenario expects does not hold.
import { writeFileSync } from 'node:fs'
import { parse, resolve } from 'node:path'

import { formatProblem } from '../../contracts/problem.ts'
import type { SourceFile } from '../../control/sources/source.ts'
import type { SimulationFiles } from '../../insight/simulate/simulation-files.ts'
import type { RunReport, SimulationReport } from '../../insight/simulate/simulation-report.ts'
import { CliError, type ExitCode } from '../cli-error.ts'
import type { CliContext } from '../context.ts'
import { formatAge } from '../format.ts'
import type { OutputFormat } from '../output.ts'
import { Progress } from '../up/progress.ts'
import { readDocumentFiles } from './read-documents.ts'
import type { AsideRun } from './simulate-aside.ts'

export interface SimulateOptions {
  readonly file: readonly string[]
  readonly scenario: string
  readonly compare: readonly string[]
  readonly seed?: number
  readonly json?: string
  readonly svg?: string
  readonly output: OutputFormat
}

/** Shorter runs say nothing on their way. */
const shownEveryMs = 500

export async function simulateScenario(context: CliContext, options: SimulateOptions): Promise<ExitCode> {
  const { describeEvent } = await import('../../insight/simulate/simulation-report.ts')
  const { durationMs } = await import('../../policies/scalars.schema.ts')
  const mesh = await readDocumentFiles(context, options.file)
  const scenario = await readDocumentFiles(context, [options.scenario])
  const runs: RunReport[] = []
  let report: Omit<SimulationReport, 'runs'> | undefined
  for (const added of [undefined, ...options.compare]) {
    const files = added === undefined ? mesh : [...mesh, ...(await readDocumentFiles(context, [added]))]
    const { spec, name } = await read(context, files, scenario, options.scenario)
    const seed = options.seed ?? spec.seed
    report ??= {
      scenario: name,
      seed,
      durationMs: durationMs(spec.duration),
      events: spec.events.map((event) => ({
        atMs: durationMs(event.at),
        ...(event.for === undefined ? {} : { forMs: durationMs(event.for) }),
        what: describeEvent(event),
      })),
    }
    const called = added === undefined ? 'mesh' : parse(added).name
    runs.push(await play(context, { name: called, mesh: files, scenario, seed }, spec.duration))
  }
  const whole: SimulationReport = { ...(report as Omit<SimulationReport, 'runs'>), runs }
  await show(context, options, whole)
  return runs[0]?.expectations.every(({ met }) => met) === true ? 0 : 1
}

type Scenario = SimulationFiles['scenarios'][number]

async function read(
  context: CliContext,
  mesh: readonly SourceFile[],
  scenarioFiles: readonly SourceFile[],
  path: string,
): Promise<Scenario> {
  const { readSimulation } = await import('../../insight/simulate/simulation-files.ts')
  const { scenarios, problems } = readSimulation(mesh, scenarioFiles)
  for (const problem of problems) context.output.note(formatProblem(problem))
  const errors = problems.filter(({ severity }) => severity === 'error').length
  if (errors > 0) throw new CliError(`${errors} error${errors === 1 ? '' : 's'} in the documents`)
  const [document, another] = scenarios
  if (document === undefined || another !== undefined) {
    const hint = 'one Scenario document (heddle.dev/v1alpha1) is played at a time'
    throw new CliError(`${path} holds ${scenarios.length} scenarios`, { hint })
  }
  return document
}

async function play({ host }: CliContext, run: AsideRun, duration: string): Promise<RunReport> {
  const { simulateAside } = await import('./simulate-aside.ts')
  const progress = new Progress(host)
  let shownAtMs = host.clock.monotonicMs()
  const report = await simulateAside(run, (elapsedMs) => {
    const nowMs = host.clock.monotonicMs()
    if (nowMs - shownAtMs < shownEveryMs || host.stderr.isTTY !== true) return
    shownAtMs = nowMs
    progress.show(`${run.name}: ${formatAge(elapsedMs)} of ${duration} simulated`)
  })
  progress.clear()
  return report
}

async function show({ host, output }: CliContext, options: SimulateOptions, report: SimulationReport): Promise<void> {
  const write = (path: string, text: string): void => {
    try {
      writeFileSync(resolve(host.workingDirectory, path), text)
    } catch (error) {
      throw new CliError(`cannot write ${path}: ${(error as Error).message}`)
    }
  }
  if (options.json !== undefined) write(options.json, `${JSON.stringify(report, null, 2)}\n`)
  if (options.svg !== undefined) {
    const { drawSvg } = await import('../../insight/simulate/draw-svg.ts')
    write(options.svg, drawSvg(report))
  }
  if (options.output !== 'table') {
    await output.structured(options.output, report)
    return
  }
  const { drawSimulation } = await import('./simulation-text.ts')
  output.line(drawSimulation(report, output, host.stdout.columns).trimEnd())
}

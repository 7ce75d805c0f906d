// `heddle down`: stops the mesh of a state directory as Ctrl-C would, and waits until nothing is left.
import { resolve } from 'node:path'

import { sleep } from '../../core/clock.ts'
import { CliError, type ExitCode } from '../cli-error.ts'
import type { CliContext } from '../context.ts'
import { runningSupervisor } from './state-lock.ts'

/** Applications and proxies each have their own grace before it. */
const deadlineMs = 45_000

export async function down({ host, output }: CliContext, options: { readonly stateDir: string }): Promise<ExitCode> {
  const stateDir = resolve(host.workingDirectory, options.stateDir)
  const pid = runningSupervisor(stateDir)
  if (pid === undefined) {
    output.note(`no mesh is running on ${stateDir}`)
    return 0
  }
  host.kill(pid, 'SIGTERM')
  const endMs = host.clock.monotonicMs() + deadlineMs
  while (runningSupervisor(stateDir) !== undefined) {
    if (host.clock.monotonicMs() > endMs) {
      throw new CliError(`process ${pid} does not stop`, { hint: `look at ${stateDir}/logs/up.log`, exitCode: 1 })
    }
    await sleep(host.clock, 100)
  }
  output.note(`the mesh on ${stateDir} has stopped`)
  return 0
}

// `heddle …`: arguments in, exit code out.
import { type Command, CommanderError } from 'commander'

import { errorMessage } from '../core/errors.ts'
import { CliError, type ExitCode } from './cli-error.ts'
import type { CliHost } from './host.ts'
import { Output } from './output.ts'
import { printableLines } from './printable-text.ts'
import { createProgram } from './program.ts'
import type { Roles } from './roles.ts'

/** `args` without program and script. Never rejects. */
export async function runCli(args: readonly string[], host: CliHost, roles: Roles): Promise<ExitCode> {
  const output = new Output(host)
  let exitCode: ExitCode = 0
  const program = createProgram({ host, output, roles }, async (work) => {
    exitCode = await work()
  })
  for (const command of withVerbs(program)) {
    command.exitOverride().configureOutput({
      writeOut: (text) => output.write(text),
      // an argument that is refused is told
      writeErr: (text) => host.stderr.write(printableLines(text)),
      getOutHelpWidth: () => host.stdout.columns ?? 100,
    })
  }
  try {
    if (args.length === 0) {
      program.outputHelp()
      return 2
    }
    await program.parseAsync([...args], { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    output.note(`${output.colors.red('error')}: ${errorMessage(error)}`)
    if (!(error instanceof CliError)) {
      if (host.env['HEDDLE_DEBUG'] !== undefined && error instanceof Error) output.note(error.stack ?? '')
      return 1
    }
    if (error.hint !== undefined) output.note(`  ${error.hint}`)
    return error.exitCode
  }
}

function withVerbs(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withVerbs)]
}

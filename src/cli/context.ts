// What every verb gets.
import type { ExitCode } from './cli-error.ts'
import type { CliHost } from './host.ts'
import type { Output, OutputFormat } from './output.ts'
import type { Roles } from './roles.ts'

export interface CliContext {
  readonly host: CliHost
  readonly output: Output
  readonly roles: Roles
}

/** A verb's work: what it resolves with is the exit code. */
export type Work = () => Promise<ExitCode>

/** Options of verbs that ask a running mesh. */
export interface MeshOptions {
  readonly stateDir: string
  readonly output: OutputFormat
}

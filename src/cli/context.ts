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
  /** URL of the control plane; absent: what HEDDLE_ADDRESS or the state directory says. */
  readonly address?: string
  /** Holds a token; absent: that of HEDDLE_TOKEN, or the mesh's own in the state directory. */
  readonly tokenFile?: string
  readonly output: OutputFormat
}

// Ends a verb with a message, what to do next, and an exit code.

/** 0 done, 1 it ran and the answer is no, 2 usage or configuration error. */
export type ExitCode = 0 | 1 | 2

export class CliError extends Error {
  override readonly name = 'CliError'
  /** An imperative sentence. */
  readonly hint: string | undefined
  readonly exitCode: ExitCode

  constructor(message: string, options: { readonly hint?: string; readonly exitCode?: ExitCode } = {}) {
    super(message)
    this.hint = options.hint
    this.exitCode = options.exitCode ?? 2
  }
}

// Runs a program to its end and tells what it printed.
import { execFile } from 'node:child_process'

export interface CommandResult {
  /** -1 when it could not be started or was killed. */
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

export interface CommandOptions {
  /** Beside PATH and HOME. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly timeoutMs?: number
}

/** Never rejects. */
export function runCommand(
  file: string,
  args: readonly string[],
  { env = {}, cwd, timeoutMs = 30_000 }: CommandOptions = {},
): Promise<CommandResult> {
  const { PATH = '', HOME = '' } = process.env
  return new Promise((resolve) => {
    const options = { env: { PATH, HOME, NO_COLOR: '1', ...env }, timeout: timeoutMs, maxBuffer: 16 * 1024 * 1024 }
    execFile(file, args, { ...options, ...(cwd === undefined ? {} : { cwd }) }, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ exitCode, stdout, stderr: exitCode === -1 ? `${stderr}${error?.message}` : stderr })
    })
  })
}

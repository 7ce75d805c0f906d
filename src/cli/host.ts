// What the CLI sees of the process it runs in: given by bin/, so that every verb can be tested without one.
import type { Clock } from '../core/clock.ts'
import type { Random } from '../core/random.ts'

export interface TextOutput {
  write(text: string): unknown
  /** Width of the terminal; absent when it is none. */
  readonly columns?: number
  /** Its height. */
  readonly rows?: number
  readonly isTTY?: boolean
}

export type Signal = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'SIGKILL' | 'SIGUSR2'

export interface CliHost {
  readonly stdout: TextOutput
  readonly stderr: TextOutput
  readonly env: Readonly<Record<string, string | undefined>>
  readonly workingDirectory: string
  readonly clock: Clock
  readonly random: Random
  readonly pid: number
  /** Program and first arguments that run this CLI again. */
  readonly selfCommand: readonly [string, ...string[]]
  /** False when there is no such process (group when negative), or it is not ours. */
  kill(pid: number, signal: Signal | 0): boolean
  /** Until the returned function is called, `listener` runs instead of the signal's default. */
  onSignal(signals: readonly Signal[], listener: (signal: Signal) => void): () => void
  /** Until the returned function is called, `listener` gets each key that is pressed, at once and unseen. Absent without a keyboard. */
  readonly onKey?: (listener: (key: string) => void) => () => void
  /** The channel of whoever started this process with one. */
  readonly parent?: ParentChannel
}

export interface ParentChannel {
  send(message: object): void
  onClose(listener: () => void): void
}

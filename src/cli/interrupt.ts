// Ctrl-C as an AbortSignal, for verbs that go on until it comes.
import type { CliContext } from './context.ts'

export interface Interrupt {
  readonly signal: AbortSignal
  /** Gives the signals their default meaning back. */
  readonly release: () => void
}

export function untilInterrupted({ host }: CliContext): Interrupt {
  const controller = new AbortController()
  const release = host.onSignal(['SIGINT', 'SIGTERM'], () => controller.abort())
  return { signal: controller.signal, release }
}

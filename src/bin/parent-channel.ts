// The channel to whoever started this proxy process: a supervisor, or the parent of several workers.
import type { ProxyMessage } from '../contracts/bootstrap.ts'

/** How long open requests may go on when a process or one of its sidecars ends for good. */
export const finalDrainMs = 10_000

export function tell(message: ProxyMessage): void {
  if (process.connected) process.send?.(message)
}

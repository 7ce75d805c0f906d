// Chooses the I/O back end of a process: raw handles where the runtime gives them, node:net where it does not.
import type { Clock } from '../../core/clock.ts'
import { errorCode, errorMessage } from '../../core/errors.ts'
import { loadStreamBindings } from '../../core/stream-bindings.ts'
import type { IoBackend } from './connection.ts'
import { createNetBackend } from './net-backend.ts'
import { createRawBackend } from './raw-backend.ts'

export const ioChoices = ['auto', 'raw', 'net'] as const
export type IoChoice = (typeof ioChoices)[number]

export interface ChosenIo {
  readonly io: IoBackend
  /** Why this one. */
  readonly reason: string
}

/** Throws when `raw` is demanded and cannot be had. */
export function createIoBackend(clock: Clock, choice: IoChoice): ChosenIo {
  if (choice === 'net') return { io: createNetBackend(clock), reason: 'as told' }
  try {
    const io = createRawBackend(clock, loadStreamBindings())
    return { io, reason: choice === 'raw' ? 'as told' : 'the runtime gives its handles' }
  } catch (error) {
    const denied =
      errorCode(error) === 'ERR_ACCESS_DENIED' ? "Node's permission model denies them" : errorMessage(error)
    const reason = `the runtime does not give its handles: ${denied}`
    if (choice === 'raw') throw new Error(reason, { cause: error })
    return { io: createNetBackend(clock), reason }
  }
}

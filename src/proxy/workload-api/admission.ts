// Who is let in at the socket of a Workload API whose Workload registers processes (`spec.unix`); the others hear why not.
import type { Socket } from 'node:net'

import type { UnixRegistration } from '../../contracts/unix-registration.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import { loadUnixPeers } from '../../core/unix-peers.ts'
import { checkCaller, type CallerRefusal } from './caller-check.ts'
import { refuseCaller } from './refuse-caller.ts'

export interface Admission {
  /** Callers are known, so that the socket may be open to all users. */
  readonly isChecked: boolean
  /** True: the connection is served. False: it has been taken over. */
  admit(socket: Socket): boolean
}

export interface AdmissionOptions {
  readonly socketFile: string
  readonly registered: UnixRegistration
  readonly refused: (reason: CallerRefusal['reason']) => void
  readonly logger: Logger
}

/** Where nobody can be told from anybody else, it refuses all. */
export async function createAdmission({
  socketFile,
  registered,
  refused,
  logger,
}: AdmissionOptions): Promise<Admission> {
  let check: (socket: Socket) => CallerRefusal | undefined
  let isChecked = false
  try {
    const peers = await loadUnixPeers()
    check = (socket) => checkCaller(registered, peers, socket)
    isChecked = true
  } catch (error) {
    const message = 'callers of the Workload API cannot be checked on this machine: every one is refused'
    logger.error(message, { socket: socketFile, registered, error: errorMessage(error) })
    check = () => ({ reason: 'caller', message, caller: {} })
  }
  return {
    isChecked,
    admit(socket) {
      const refusal = check(socket)
      if (refusal === undefined) return true
      const { reason, message, caller } = refusal
      refused(reason)
      logger.warn('a caller of the Workload API was refused', { reason, message, caller, registered })
      refuseCaller(socket, message)
      return false
    },
  }
}

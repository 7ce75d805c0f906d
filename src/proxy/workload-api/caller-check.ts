// Which processes may ask the Workload API of a workload that registers some (`spec.unix`): what the kernel says of a caller is compared.
import { statSync } from 'node:fs'
import type { Socket } from 'node:net'

import type { UnixRegistration } from '../../contracts/unix-registration.ts'
import { errorMessage } from '../../core/errors.ts'
import type { UnixPeer, UnixPeers } from '../../core/unix-peers.ts'

export interface CallerRefusal {
  /** The field that did not match; `caller`: it is not known who calls. */
  readonly reason: keyof UnixRegistration | 'caller'
  /** For the caller: does not tell who would be let in. */
  readonly message: string
  /** What is known of the caller, for the log. */
  readonly caller: Partial<UnixPeer> & { readonly path?: string }
}

/** Undefined: the caller may ask. Every field that is registered must match. */
export function checkCaller(registered: UnixRegistration, peers: UnixPeers, socket: Socket): CallerRefusal | undefined {
  let caller: CallerRefusal['caller'] = {}
  try {
    const peer = peers.credentials(socket)
    caller = peer
    for (const field of ['uid', 'gid'] as const) {
      if (registered[field] === undefined || registered[field] === peer[field]) continue
      return { reason: field, message: `${field} ${peer[field]} is not registered for this workload`, caller }
    }
    if (registered.path === undefined) return undefined
    const { path, dev, ino } = peers.executable(socket)
    caller = { ...peer, path }
    const file = statSync(registered.path, { bigint: true, throwIfNoEntry: false })
    if (file !== undefined && file.dev === dev && file.ino === ino) return undefined
    return { reason: 'path', message: `executable ${path} is not registered for this workload`, caller }
  } catch (error) {
    return { reason: 'caller', message: errorMessage(error), caller }
  }
}

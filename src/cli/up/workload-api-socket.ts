// Where the application of a workload finds its Workload API: a Unix socket in the state directory.
import { statSync } from 'node:fs'
import { dirname, join } from 'node:path'

import type { DesiredSidecar } from '../../contracts/desired-state.ts'
import type { UnixRegistration } from '../../contracts/unix-registration.ts'
import { errorMessage } from '../../core/errors.ts'
import { loadUnixPeers } from '../../core/unix-peers.ts'

/** Linux has 108 bytes for the path of a socket and the byte that ends it, other systems 104. */
export const maxSocketPathBytes = 103

export function workloadApiFolder(stateDir: string): string {
  return join(stateDir, 'workload-api')
}

/** Undefined for gateways, which have no application, and when the path would be too long for a socket. */
export function workloadApiSocket(
  stateDir: string,
  { kind, namespace, name }: Pick<DesiredSidecar, 'kind' | 'namespace' | 'name'>,
): string | undefined {
  const file = join(workloadApiFolder(stateDir), `${namespace}.${name}.sock`)
  return kind === 'gateway' || Buffer.byteLength(file) > maxSocketPathBytes ? undefined : file
}

/** Why the processes that a Workload registers get nothing from its Workload API; undefined: nothing stands in their way. */
export async function registrationFault(socketFile: string, registered: UnixRegistration): Promise<string | undefined> {
  try {
    await loadUnixPeers()
  } catch (error) {
    return `its Workload API refuses every caller: ${errorMessage(error)}`
  }
  const folder = closedFolder(dirname(dirname(socketFile)), registered)
  return folder && `user ${registered.uid} cannot reach its Workload API through ${folder}: chmod o+x ${folder}`
}

/** The mesh opens the folder that it makes for the sockets; those above are the user's to open. */
function closedFolder(folder: string, registered: UnixRegistration): string | undefined {
  const { uid, gid } = registered
  if (uid === undefined || uid === 0) return undefined
  const { mode, uid: owner, gid: group } = statSync(folder)
  const needed = uid === owner ? 0o100 : gid === group ? 0o010 : 0o001
  if ((mode & needed) === 0) return folder
  const above = dirname(folder)
  return above === folder ? undefined : closedFolder(above, registered)
}

// Where the application of a workload finds its Workload API: a Unix socket in the state directory.
import { join } from 'node:path'

import type { DesiredSidecar } from '../../contracts/desired-state.ts'

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

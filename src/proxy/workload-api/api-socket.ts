// The Unix socket of a Workload API: for its owner alone, and replaced in one step by that of a successor.
import { chmodSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

import { ServerCredentials, type Server } from '@grpc/grpc-js'

/** Binds `server` to `file`, 0600 in a folder of 0700. Rejects with what the system says. Returns what removes the file, unless it is a successor's. */
export async function bindApiSocket(server: Server, file: string): Promise<() => void> {
  const folder = dirname(file)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  chmodSync(folder, 0o700)
  // renamed into its place: closing a socket removes the name it was bound to, which by then may be a successor's
  const fresh = file.replace(/sock$/, 'new')
  rmSync(fresh, { force: true })
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${fresh}`, ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve()
      else reject(error)
    })
  })
  chmodSync(fresh, 0o600)
  const { ino } = statSync(fresh)
  renameSync(fresh, file)
  return () => {
    if (statSync(file, { throwIfNoEntry: false })?.ino === ino) rmSync(file, { force: true })
  }
}

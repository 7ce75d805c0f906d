// The Unix socket of a Workload API: for its owner alone, or for whom a check lets in; replaced in one step by that of a successor.
import { chmodSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { dirname } from 'node:path'

import { ServerCredentials, type Server } from '@grpc/grpc-js'

import type { Admission } from './admission.ts'

const closed = { socket: 0o600, folder: 0o700 }
/** Names cannot be listed, and whoever connects is checked. */
const open = { socket: 0o666, folder: 0o711 }

/**
 * Binds `server` to `file`. It is for its owner alone, 0600 in a folder of 0700, unless an admission checks whoever connects. Rejects with what
 * the system says. Returns what removes the file, unless it is a successor's.
 */
export async function bindApiSocket(server: Server, file: string, admission?: Admission): Promise<() => void> {
  const modes = admission?.isChecked === true ? open : closed
  const folder = dirname(file)
  mkdirSync(folder, { recursive: true, mode: closed.folder })
  // one that is open is so for another workload's sake
  if (modes === open || (statSync(folder).mode & 0o777) !== open.folder) chmodSync(folder, modes.folder)
  // renamed into its place: closing a socket removes the name it was bound to, which by then may be a successor's
  const fresh = file.replace(/sock$/, 'new')
  rmSync(fresh, { force: true })
  const stop = admission === undefined ? await bind(server, fresh) : await bindChecked(server, fresh, admission)
  chmodSync(fresh, modes.socket)
  const { ino } = statSync(fresh)
  renameSync(fresh, file)
  return () => {
    stop()
    if (statSync(file, { throwIfNoEntry: false })?.ino === ino) rmSync(file, { force: true })
  }
}

function bind(server: Server, file: string): Promise<() => void> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`unix:${file}`, ServerCredentials.createInsecure(), (error) => {
      // ends with the server
      if (error === null) resolve(() => {})
      else reject(error)
    })
  })
}

function bindChecked(server: Server, file: string, admission: Admission): Promise<() => void> {
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
  const connections = new Set<Socket>()
  const listening = createServer((socket) => {
    connections.add(socket)
    // whoever takes the connection over hears of it on its session
    socket.on('error', () => {})
    socket.once('close', () => connections.delete(socket))
    if (admission.admit(socket)) injector.injectConnection(socket)
  })
  return new Promise((resolve, reject) => {
    listening.once('error', (error) => {
      injector.destroy()
      reject(error)
    })
    listening.listen(file, () =>
      resolve(() => {
        listening.close()
        injector.destroy()
        for (const socket of connections) socket.destroy()
      }),
    )
  })
}

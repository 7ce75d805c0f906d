// Keeps meshes that start on one host at the same time out of each other's ports.
import { createServer, type Server } from 'node:net'

import { errorCode } from '../../core/errors.ts'

export interface ClaimedPortBase {
  /** Itself taken for as long as the claim lasts: ports are handed out from the next one on. */
  readonly portBase: number
  release(): void
}

/** Room for some fifty workloads of twenty services; a mesh that needs more finds its neighbour's ports taken and skips them. */
const step = 1000
const lastBase = 60_000

/** `wanted`, or the next thousand above it that no other mesh claims. Rejects when there is none. */
export async function claimPortBase(wanted: number): Promise<ClaimedPortBase> {
  for (let portBase = wanted; portBase <= Math.max(wanted, lastBase); portBase += step) {
    const server = await tryListen(portBase)
    if (server !== undefined) return { portBase, release: () => server.close() }
  }
  throw new Error(`no free range of ports above ${wanted}`)
}

function tryListen(port: number): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    // whoever connects learns nothing
    const server = createServer((socket) => socket.destroy())
    server.once('error', (error) => {
      if (errorCode(error) === 'EADDRINUSE') resolve(undefined)
      else reject(error)
    })
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => resolve(server))
  })
}

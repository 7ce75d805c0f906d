// Opens a gRPC server's port, to be closed with the rest. Part of the control plane's composition root.
import type { Server, ServerCredentials } from '@grpc/grpc-js'

import { hostPort } from '../contracts/xds/names.ts'
import type { Lifecycle } from '../core/lifecycle.ts'

/** grpc-js says "127.0.0.1:40123". */
export function peerAddress(peer: string): string {
  return peer.replace(/:\d+$/, '')
}

/** Resolves with "127.0.0.1:15012". */
export function listenGrpc(
  server: Server,
  address: { readonly host: string; readonly port: number },
  credentials: ServerCredentials,
  lifecycle: Lifecycle,
): Promise<string> {
  lifecycle.onStop(() => server.forceShutdown())
  const target = hostPort(address.host, address.port)
  return new Promise((resolve, reject) => {
    server.bindAsync(target, credentials, (error) => {
      if (error === null) resolve(target)
      else reject(error)
    })
  })
}

// Has a gRPC server listen for as long as its process lives.
import type { Server, ServerCredentials } from '@grpc/grpc-js'

import { hostPort } from '../contracts/xds/names.ts'
import type { Lifecycle } from '../core/lifecycle.ts'

/** Resolves with the address. Rejects when it cannot be had. */
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

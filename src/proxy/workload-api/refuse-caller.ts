// Answers every call on a connection with PERMISSION_DENIED and the reason: a caller that is just cut off would try for ever and tell nobody why.
import { performServerHandshake } from 'node:http2'
import type { Socket } from 'node:net'

import { status } from '@grpc/grpc-js'

/** A caller that says nothing keeps its connection no longer. */
const silentMs = 5_000

/** Takes the connection over. */
export function refuseCaller(socket: Socket, message: string): void {
  const session = performServerHandshake(socket)
  const end = (): void => session.destroy()
  session.setTimeout(silentMs, end)
  session.on('error', end)
  session.on('stream', (stream) => {
    stream.on('error', end)
    stream.respond(
      {
        ':status': 200,
        'content-type': 'application/grpc',
        'grpc-status': status.PERMISSION_DENIED,
        // gRPC over HTTP/2 wants it percent-encoded
        'grpc-message': encodeURI(message),
      },
      { endStream: true },
    )
    session.close()
  })
}

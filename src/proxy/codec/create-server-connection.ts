// Chooses the codec for the server's end of a connection by the protocol that detection or ALPN has found.
import type { Connection } from '../io/connection.ts'
import type { ServerConnection } from './http-stream.ts'
import { Http1ServerConnection, type ServerConnectionOptions } from './http1/server-connection.ts'
import { Http2ServerConnection } from './http2/server-connection.ts'

/** As ALPN calls them; without TLS "h2" is HTTP/2 by prior knowledge. */
export type ServedProtocol = 'http/1.1' | 'h2'

export function createServerConnection(
  protocol: ServedProtocol,
  connection: Connection,
  options: ServerConnectionOptions,
): ServerConnection {
  return protocol === 'h2'
    ? new Http2ServerConnection(connection, options)
    : new Http1ServerConnection(connection, options)
}

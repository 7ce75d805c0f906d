// Chooses the codec for the client's end of a connection: what ALPN agreed upon, and without TLS what the endpoint is known to speak.
import type { Clock } from '../../core/clock.ts'
import type { Connection } from '../io/connection.ts'
import type { ClientConnection, ClientConnectionEvents } from './http-stream.ts'
import { Http1ClientConnection } from './http1/client-connection.ts'
import { Http2ClientConnection, type PeerLimits } from './http2/client-connection.ts'
import type { KeepAlive } from './http2/session.ts'

export function createClientConnection(
  clock: Clock,
  connection: Connection,
  withoutTls: 'http1' | 'http2',
  events: ClientConnectionEvents,
  limit: PeerLimits,
  keepAlive?: KeepAlive,
): ClientConnection {
  const http2 = connection.tls === undefined ? withoutTls === 'http2' : connection.tls.alpn === 'h2'
  return http2
    ? new Http2ClientConnection(connection, { clock, ...events, limit, ...(keepAlive && { keepAlive }) })
    : new Http1ClientConnection(connection, events)
}

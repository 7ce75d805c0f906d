// What policies may ask of a connection.
import type { FilteredBody, FilteredRequest, PeerFacts } from '../../contracts/http-filter.ts'
import type { ServerStream } from '../codec/http-stream.ts'
import type { Connection } from '../io/connection.ts'

/** `remoteAddress`: whose request it is. */
export function peerFacts(connection: Connection, remoteAddress: string): PeerFacts {
  const { tls, localAddress, localPort } = connection
  const address = connection.remoteAddress
  return {
    principal: tls?.peerSpiffeId,
    address,
    port: connection.remotePort,
    remoteAddress,
    localAddress,
    localPort,
    sni: tls?.sni,
  }
}

/** The request of `stream` as filters see it. `body`: what they may wait for; absent: nothing. */
export function filteredRequest(stream: ServerStream, remoteAddress: string, body?: FilteredBody): FilteredRequest {
  const { request: head, connection } = stream
  const query = head.path.indexOf('?')
  const path = query === -1 ? head.path : head.path.slice(0, query)
  const peer = peerFacts(connection, remoteAddress)
  return {
    head,
    path,
    peer,
    body,
    token: undefined,
    authorization: undefined,
    rateLimit: undefined,
    responseHeaders: undefined,
  }
}

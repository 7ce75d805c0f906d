// What policies may ask of a connection.
import type { FilteredBody, FilteredRequest, PeerFacts } from '../../contracts/http-filter.ts'
import type { RequestHead } from '../../contracts/http-message.ts'
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

/** A request as filters see it. `body`: what they may wait for; undefined: nothing. */
export function filteredRequest(head: RequestHead, peer: PeerFacts, body: FilteredBody | undefined): FilteredRequest {
  const query = head.path.indexOf('?')
  const path = query === -1 ? head.path : head.path.slice(0, query)
  return {
    head,
    path,
    peer,
    body,
    token: undefined,
    authorization: undefined,
    ownedHeaders: undefined,
    rateLimit: undefined,
    responseHeaders: undefined,
    responsePass: undefined,
  }
}

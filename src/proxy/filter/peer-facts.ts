// What policies may ask of a connection.
import type { PeerFacts } from '../../contracts/http-filter.ts'
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

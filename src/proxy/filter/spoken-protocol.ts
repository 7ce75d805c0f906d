// What the first caller of a request spoke, when the link between two sidecars speaks something else: HTTP/1.1 travels as HTTP/2 there, and the
// application at the far end is to be spoken to as the caller did.
import type { RequestHead } from '../../contracts/http-message.ts'
import type { HttpProtocol, ServerStream } from '../codec/http-stream.ts'

/** Added by the caller's sidecar, taken away by the application's. */
const spokenHeader = 'x-heddle-spoken'

/** To be called on the head that goes to another sidecar by HTTP/2. */
export function markSpoken({ headers }: RequestHead, spoken: HttpProtocol): void {
  if (spoken !== 'HTTP/2') headers.set(spokenHeader, 'http/1.1')
}

/** Not believed of those who are no sidecar, nor passed on. */
export function takeSpoken({ request, protocol, connection }: ServerStream): HttpProtocol {
  if (!request.headers.has(spokenHeader)) return protocol
  request.headers.delete(spokenHeader)
  return connection.tls?.peerSpiffeId === undefined ? protocol : 'HTTP/1.1'
}

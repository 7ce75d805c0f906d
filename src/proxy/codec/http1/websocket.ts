// The key and its echo by which HTTP/1.1 opens a WebSocket (RFC 6455 section 4). HTTP/2 has neither (RFC 8441 section 5): where one meets the
// other, they are made here.
import { createHash, randomBytes } from 'node:crypto'

import type { RequestHead, ResponseHead } from '../../../contracts/http-message.ts'

const keyHeader = 'sec-websocket-key'
const acceptHeader = 'sec-websocket-accept'
const magic = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** Before the offer goes to an HTTP/1.1 server. */
export function offerKey({ headers }: RequestHead): void {
  if (!headers.has(keyHeader)) headers.add(keyHeader, randomBytes(16).toString('base64'))
}

/** Before the acceptance goes to an HTTP/1.1 client. */
export function acceptKey(request: RequestHead, response: ResponseHead): void {
  const key = request.headers.get(keyHeader)
  if (key === undefined || response.headers.has(acceptHeader)) return
  response.headers.add(
    acceptHeader,
    createHash('sha1')
      .update(key + magic)
      .digest('base64'),
  )
}

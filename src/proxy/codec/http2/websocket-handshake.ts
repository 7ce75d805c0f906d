// The key and its answer that WebSocket wants over HTTP/1.1 and does without over HTTP/2 (RFC 8441 section 5): for a handshake that changes
// version on its way. One that came with a key keeps both, whatever it travels over.
import { createHash, randomBytes } from 'node:crypto'

import type { HeaderList } from '../../../core/header-list.ts'

const acceptSuffix = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** For a server of HTTP/1.1 further on. False: there was a key. */
export function addWebSocketKey(request: HeaderList): boolean {
  if (request.has('sec-websocket-key')) return false
  request.add('sec-websocket-key', randomBytes(16).toString('base64'))
  return true
}

/** For a client of HTTP/1.1 further back, when the server had no reason to answer its key (RFC 6455 section 4.2.2). */
export function addWebSocketAccept(request: HeaderList, response: HeaderList): void {
  const key = request.get('sec-websocket-key')
  if (key === undefined || response.has('sec-websocket-accept')) return
  response.add(
    'sec-websocket-accept',
    createHash('sha1')
      .update(key + acceptSuffix)
      .digest('base64'),
  )
}

// The door of a proxy's admin and metrics ports: every answer has its headers, and what a web page sends, or has a body, is refused.
import type { IncomingMessage, ServerResponse } from 'node:http'

import { doorHeaders, doorRefusal } from '../../core/loopback-door.ts'

/** Whether it has answered. */
export function refuseAtDoor(request: IncomingMessage, response: ServerResponse): boolean {
  for (const [name, value] of Object.entries(doorHeaders)) response.setHeader(name, value)
  const refusal = doorRefusal(request)
  if (refusal !== undefined) {
    refuse(response, 403, { message: refusal, hint: 'ask by the address in mesh.json, and not from a web page' })
    return true
  }
  const { 'content-length': length = '0', 'transfer-encoding': coding } = request.headers
  if (length === '0' && coding === undefined) return false
  // it would have to be read, however long
  response.setHeader('connection', 'close')
  refuse(response, 413, { message: 'no request to this API has a body' })
  return true
}

function refuse(response: ServerResponse, status: number, body: { readonly message: string; readonly hint?: string }) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`)
}

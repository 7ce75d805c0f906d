// /tap: the decision records that fit a filter, as they are made, one JSON object a line.
import type { ServerResponse } from 'node:http'

import type { DecisionRecord } from '../../contracts/decision-record.ts'

export interface TapSource {
  /** Records are built only while somebody listens. Returns what ends it. */
  subscribe(listener: (record: DecisionRecord) => void): () => void
}

/** Beyond so many bytes that the reader has not taken, records are left out and counted. */
const maxBufferedBytes = 1024 * 1024

export function streamTap(tap: TapSource, query: URLSearchParams, response: ServerResponse): void {
  const fits = compileTapFilter(query)
  let dropped = 0
  response.writeHead(200, { 'content-type': 'application/jsonlines' })
  response.flushHeaders()
  const unsubscribe = tap.subscribe((record) => {
    if (!fits(record)) return
    if (response.writableLength > maxBufferedBytes) {
      dropped++
      return
    }
    if (dropped > 0) response.write(`{"dropped":${dropped}}\n`)
    dropped = 0
    response.write(`${JSON.stringify(record)}\n`)
  })
  response.once('close', unsubscribe)
}

/**
 * `method` (any case), `path` (prefix), `status` ("503", "5xx"), `authority` and `reporter` (exact); those absent fit everything.
 */
export function compileTapFilter(query: URLSearchParams): (record: DecisionRecord) => boolean {
  const method = query.get('method')?.toUpperCase()
  const path = query.get('path')
  const status = query.get('status')
  const authority = query.get('authority')
  const reporter = query.get('reporter')
  return ({ request, response, reporter: from }) =>
    (method === undefined || request.method === method) &&
    (path === null || request.path.startsWith(path)) &&
    (status === null || fitsStatus(response.status, status)) &&
    (authority === null || request.authority === authority) &&
    (reporter === null || from === reporter)
}

function fitsStatus(status: number, wanted: string): boolean {
  const text = String(status)
  return wanted.endsWith('xx') ? text.startsWith(wanted.slice(0, -2)) && text.length === 3 : text === wanted
}

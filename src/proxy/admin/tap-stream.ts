// /tap: the decision records that fit a filter, as they are made, one JSON object a line.
import type { ServerResponse } from 'node:http'

import { mostBodyBytes, type TapFilter, type TappedRecord } from '../../contracts/telemetry/tap.ts'

export interface TapSource {
  /** Records are built only while somebody listens; bodies copied, so many bytes of each, only while somebody asks. Returns what ends it. */
  subscribe(filter: TapFilter, listener: (record: TappedRecord) => void, bodyBytes: number): () => void
}

/** Beyond so many bytes that the reader has not taken, records are left out and counted. */
const maxBufferedBytes = 1024 * 1024

export function streamTap(tap: TapSource, query: URLSearchParams, response: ServerResponse): void {
  const status = exactStatus(query)
  const bodyBytes = Number(query.get('bodies') ?? 0)
  if (!Number.isInteger(bodyBytes) || bodyBytes < 0 || bodyBytes > mostBodyBytes) {
    response.writeHead(400, { 'content-type': 'application/json' })
    response.end(`{"message":"bodies: a number of bytes up to ${mostBodyBytes}"}\n`)
    return
  }
  let dropped = 0
  response.writeHead(200, { 'content-type': 'application/jsonlines' })
  response.flushHeaders()
  const listener = (record: TappedRecord): void => {
    if (status !== undefined && record.response.status !== status) return
    if (response.writableLength > maxBufferedBytes) {
      dropped++
      return
    }
    if (dropped > 0) response.write(`{"dropped":${dropped}}\n`)
    dropped = 0
    response.write(`${JSON.stringify(record)}\n`)
  }
  const unsubscribe = tap.subscribe(parseTapFilter(query), listener, bodyBytes)
  response.once('close', unsubscribe)
}

/** `method` (any case), `path` (prefix), `status` ("503", "5xx"), `namespace`, `workload` ("namespace/name"), `service`. */
export function parseTapFilter(query: URLSearchParams): TapFilter {
  const [method, path, status] = [query.get('method'), query.get('path'), query.get('status')]
  const [namespace, workload, service] = [query.get('namespace'), query.get('workload'), query.get('service')]
  return {
    ...(method === null ? {} : { method: method.toUpperCase() }),
    ...(path === null ? {} : { pathPrefix: path }),
    ...(status === null ? {} : { statusClass: Number(status.slice(0, 1)) }),
    ...(namespace === null ? {} : { namespace }),
    ...(workload === null ? {} : { workload }),
    ...(service === null ? {} : { service }),
  }
}

/** TapFilter knows classes only. */
function exactStatus(query: URLSearchParams): number | undefined {
  const status = query.get('status')
  return status !== null && /^\d{3}$/.test(status) ? Number(status) : undefined
}

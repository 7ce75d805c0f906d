// A decision record as an entry of Envoy's access log service: what Envoy has a field for there, and the whole of it as JSON in a tag.
import { create } from '@bufbuild/protobuf'
import { durationFromMs, timestampFromMs } from '@bufbuild/protobuf/wkt'

import type { DecisionRecord } from '../../contracts/decision-record.ts'
import {
  AccessLogCommonSchema,
  HTTPAccessLogEntrySchema,
  HTTPRequestPropertiesSchema,
  HTTPResponsePropertiesSchema,
} from '../../contracts/xds/gen/envoy/data/accesslog/v3/accesslog_pb.ts'
import type { HTTPAccessLogEntry } from '../../contracts/xds/gen/envoy/data/accesslog/v3/accesslog_pb.ts'

const tag = 'heddle.decision_record'
/** Of one text that callers have written. */
const mostCharacters = 1_024
/** Of the JSON of one record, in UTF-16 units. */
const mostJson = 65_536
const traceparent = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-/

/** Undefined: it is too large. */
export function encodeStreamedRecord(record: DecisionRecord): HTTPAccessLogEntry | undefined {
  const bounded = shorten(record)
  const json = JSON.stringify(bounded)
  return json.length > mostJson ? undefined : entryOf(bounded, json)
}

/** As a text that can be kept until somebody asks for it. Undefined: it is too large. */
export function packRecord(record: DecisionRecord): string | undefined {
  const json = JSON.stringify(shorten(record))
  return json.length > mostJson ? undefined : json
}

export function encodePackedRecord(packed: string): HTTPAccessLogEntry {
  return entryOf(JSON.parse(packed) as DecisionRecord, packed)
}

function entryOf(record: DecisionRecord, json: string): HTTPAccessLogEntry {
  const { request, response } = record
  return create(HTTPAccessLogEntrySchema, {
    commonProperties: create(AccessLogCommonSchema, {
      startTime: timestampFromMs(Math.trunc(record.startMs)),
      duration: durationFromMs(Math.round(record.durationMs)),
      streamId: record.id,
      routeName: record.route ?? '',
      upstreamCluster: record.cluster ?? '',
      upstreamRequestAttemptCount: record.attempts.length,
      customTags: { [tag]: json },
    }),
    request: create(HTTPRequestPropertiesSchema, {
      authority: request.authority,
      path: request.path,
      requestId: request.headers['x-request-id'] ?? '',
      userAgent: request.headers['user-agent'] ?? '',
    }),
    response: create(HTTPResponsePropertiesSchema, {
      responseCode: response.status,
      responseCodeDetails: response.detail ?? '',
    }),
  })
}

/** What was sent, not yet checked; undefined: no record, or too large a one. */
export function decodeStreamedRecord({ commonProperties }: HTTPAccessLogEntry): unknown {
  const json = commonProperties?.customTags[tag]
  if (json === undefined || json.length > mostJson) return undefined
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

/** What a hop is called by, the same at all hops of a request: its request id, its trace id. */
export function requestIds({ request: { headers }, trace }: DecisionRecord): string[] {
  const ids = [headers['x-request-id'], trace?.traceId ?? traceparent.exec(headers['traceparent'] ?? '')?.[1]]
  return ids.filter((id): id is string => id !== undefined && id !== '')
}

function shorten(record: DecisionRecord): DecisionRecord {
  const { request } = record
  const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, cut(value)]))
  return {
    ...record,
    request: {
      ...request,
      method: cut(request.method),
      authority: cut(request.authority),
      path: cut(request.path),
      headers,
    },
  }
}

function cut(text: string): string {
  return text.length > mostCharacters ? `${text.slice(0, mostCharacters)}…` : text
}

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

/** Undefined: it is too large. */
export function encodeStreamedRecord(record: DecisionRecord): HTTPAccessLogEntry | undefined {
  const bounded = shorten(record)
  const json = JSON.stringify(bounded)
  if (json.length > mostJson) return undefined
  const { request, response } = bounded
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

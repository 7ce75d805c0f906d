import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { expect, it } from 'vitest'

import { sampleRecord } from '../../../test/kit/sample-record.ts'
import { HTTPAccessLogEntrySchema } from '../../contracts/xds/gen/envoy/data/accesslog/v3/accesslog_pb.ts'
import type { HTTPAccessLogEntry } from '../../contracts/xds/gen/envoy/data/accesslog/v3/accesslog_pb.ts'
import { decodeStreamedRecord, encodeStreamedRecord } from './streamed-record.xds.ts'

function overTheWire(entry: HTTPAccessLogEntry | undefined): HTTPAccessLogEntry {
  if (entry === undefined) throw new Error('it was too large')
  return fromBinary(HTTPAccessLogEntrySchema, toBinary(HTTPAccessLogEntrySchema, entry))
}

it('brings a record over as it was, and tells any access log server what Envoy would', () => {
  const record = sampleRecord({ startMs: 1_700_000_000_123.25, durationMs: 7.5 })
  const entry = overTheWire(encodeStreamedRecord(record))
  expect(decodeStreamedRecord(entry)).toEqual(JSON.parse(JSON.stringify(record)))
  expect(entry).toMatchObject({
    commonProperties: { startTime: { seconds: 1_700_000_000n, nanos: 123_000_000 }, routeName: record.route },
    request: { authority: 'reviews:9080', path: '/reviews/1' },
    response: { responseCode: 200 },
  })
})

it('shortens what callers have written at length, and leaves out what is too large all the same', () => {
  const { request } = sampleRecord()
  const long = sampleRecord({
    request: { ...request, path: `/${'a'.repeat(60_000)}`, headers: { host: 'b'.repeat(60_000) } },
  })
  const shortened = decodeStreamedRecord(overTheWire(encodeStreamedRecord(long))) as typeof long
  expect(shortened.request.path).toHaveLength(1_025)
  expect(shortened.request.headers['host']).toHaveLength(1_025)
  expect(encodeStreamedRecord(sampleRecord({ metadata: { note: 'c'.repeat(70_000) } }))).toBeUndefined()
})

it.each(['', '{', 'x'.repeat(70_000), undefined])('makes nothing of what is no record', (json) => {
  const customTags = json === undefined ? {} : { 'heddle.decision_record': json }
  expect(decodeStreamedRecord(create(HTTPAccessLogEntrySchema, { commonProperties: { customTags } }))).toBeUndefined()
})

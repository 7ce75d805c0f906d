// What a collector reads of our log records, by the decoder of OpenTelemetry's own exporter.
import { createRequire } from 'node:module'

import { expect, it } from 'vitest'

import { encodeExport } from '../otlp.xds.ts'
import type { LogRecord } from './access-log.spec.ts'
import { encodeLogRecord, logSignal } from './export-log.xds.ts'

interface Message {
  decode(bytes: Uint8Array): unknown
  toObject(message: unknown, options: object): unknown
}

const generated = createRequire(import.meta.url)('@opentelemetry/otlp-transformer/build/src/generated/root.js') as {
  readonly opentelemetry: { proto: { collector: { logs: { v1: { ExportLogsServiceRequest: Message } } } } }
}
const { ExportLogsServiceRequest } = generated.opentelemetry.proto.collector.logs.v1

const record: LogRecord = {
  startMs: 1_700_000_000_000.25,
  observedMs: 1_700_000_000_003,
  failed: true,
  body: 'GET /\ud800 503',
  attributes: { a: 'text', b: 7, c: 0.5, d: true, e: undefined, f: ['UH', 'DC'], g: { h: 'i' }, j: '' },
  traceId: 'ab'.repeat(16),
  spanId: 'cd'.repeat(8),
  sampled: true,
}

it('is understood by others', () => {
  const bytes = encodeExport({ 'service.name': 'web' }, [encodeLogRecord(record)])
  const read = ExportLogsServiceRequest.toObject(ExportLogsServiceRequest.decode(bytes), {
    longs: String,
    enums: String,
  })
  expect(read).toEqual({
    resourceLogs: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'web' } }] },
        scopeLogs: [
          {
            scope: { name: 'heddle' },
            logRecords: [
              {
                timeUnixNano: '1700000000000250000',
                observedTimeUnixNano: '1700000000003000000',
                severityNumber: 'SEVERITY_NUMBER_ERROR',
                severityText: 'ERROR',
                body: { stringValue: 'GET /\ufffd 503' },
                attributes: [
                  { key: 'a', value: { stringValue: 'text' } },
                  { key: 'b', value: { intValue: '7' } },
                  { key: 'c', value: { doubleValue: 0.5 } },
                  { key: 'd', value: { boolValue: true } },
                  { key: 'f', value: { arrayValue: { values: [{ stringValue: 'UH' }, { stringValue: 'DC' }] } } },
                  { key: 'g', value: { kvlistValue: { values: [{ key: 'h', value: { stringValue: 'i' } }] } } },
                  { key: 'j', value: { stringValue: '' } },
                ],
                flags: 1,
                traceId: new Uint8Array(16).fill(0xab),
                spanId: new Uint8Array(8).fill(0xcd),
              },
            ],
          },
        ],
      },
    ],
  })
})

it('knows how many the collector has refused', () => {
  expect(logSignal.rejected(Buffer.alloc(0))).toBe(0)
  expect(logSignal.rejected(Buffer.from('0a020803', 'hex'))).toBe(3)
  expect(() => logSignal.rejected(Buffer.from('<html>'))).toThrow()
})

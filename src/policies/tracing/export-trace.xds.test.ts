// What a collector reads of our spans, by the decoder of OpenTelemetry's own exporter.
import { createRequire } from 'node:module'

import { expect, it } from 'vitest'

import { encodeExport } from '../otlp.xds.ts'
import { decodeRejectedSpans, encodeSpan } from './export-trace.xds.ts'
import type { SpanRecord } from './tracing.spec.ts'

interface Messages {
  readonly ExportTraceServiceRequest: {
    decode(bytes: Uint8Array): unknown
    toObject(message: unknown, options: object): unknown
  }
  readonly ExportTraceServiceResponse: { encode(message: object): { finish(): Uint8Array } }
}
const root = createRequire(import.meta.url)('@opentelemetry/otlp-transformer/build/src/generated/root.js') as {
  readonly opentelemetry: { proto: { collector: { trace: { v1: Messages } } } }
}
const { ExportTraceServiceRequest, ExportTraceServiceResponse } = root.opentelemetry.proto.collector.trace.v1

const span: SpanRecord = {
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  spanId: '00f067aa0ba902b7',
  parentSpanId: '05e3ac9a4f6e3b90',
  traceState: 'a=1',
  name: 'GET reviews',
  kind: 'client',
  startMs: 1_700_000_000_000.5,
  endMs: 1_700_000_000_003.25,
  attributes: { text: 'ü', whole: 7, below: -7, huge: 1e300, part: 0.5, yes: true, absent: undefined },
  status: { error: true, message: 'UF' },
  sampled: true,
}

function base64(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64')
}

it('is a request of OTLP', () => {
  const bytes = encodeExport({ 'service.name': 'web' }, [span, { ...span, parentSpanId: undefined }].map(encodeSpan))
  const read = ExportTraceServiceRequest.toObject(ExportTraceServiceRequest.decode(bytes), {
    bytes: String,
    longs: String,
    enums: String,
  })
  expect(read).toMatchObject({
    resourceSpans: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'web' } }] },
        scopeSpans: [
          {
            scope: { name: 'heddle' },
            spans: [
              {
                traceId: base64(span.traceId),
                spanId: base64(span.spanId),
                parentSpanId: base64('05e3ac9a4f6e3b90'),
                traceState: 'a=1',
                name: 'GET reviews',
                kind: 'SPAN_KIND_CLIENT',
                startTimeUnixNano: '1700000000000500000',
                endTimeUnixNano: '1700000000003250000',
                attributes: [
                  { key: 'text', value: { stringValue: 'ü' } },
                  { key: 'whole', value: { intValue: '7' } },
                  { key: 'below', value: { intValue: '-7' } },
                  { key: 'huge', value: { doubleValue: 1e300 } },
                  { key: 'part', value: { doubleValue: 0.5 } },
                  { key: 'yes', value: { boolValue: true } },
                ],
                status: { message: 'UF', code: 'STATUS_CODE_ERROR' },
                flags: 1,
              },
              { spanId: base64(span.spanId) },
            ],
          },
        ],
      },
    ],
  })
})

it('hears how many spans were refused', () => {
  const partialSuccess = { rejectedSpans: 3, errorMessage: 'too many' }
  expect(decodeRejectedSpans(ExportTraceServiceResponse.encode({ partialSuccess }).finish())).toBe(3)
  expect(decodeRejectedSpans(new Uint8Array())).toBe(0)
})

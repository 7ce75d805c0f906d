// A span → Span of OTLP; and where they go.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'

import {
  ExportTraceServiceResponseSchema,
  Span_SpanKind as Kind,
  SpanSchema,
  Status_StatusCode as Code,
  TraceService,
} from '../../contracts/xds/gen/opentelemetry/trace_export_pb.ts'
import { encodeAttributes, nanoseconds, type OtlpSignal } from '../otlp.xds.ts'
import type { SpanRecord } from './tracing.spec.ts'

export const traceSignal: OtlpSignal = {
  grpcPath: `/${TraceService.typeName}/${TraceService.method.export.name}`,
  rejected: decodeRejectedSpans,
}

/** How many spans the collector has refused. Throws an Error where it is no such message. */
export function decodeRejectedSpans(bytes: Uint8Array): number {
  return Number(fromBinary(ExportTraceServiceResponseSchema, bytes).partialSuccess?.rejectedSpans ?? 0n)
}

export function encodeSpan(span: SpanRecord): Uint8Array {
  const { parentSpanId, traceState = '', status } = span
  const message = create(SpanSchema, {
    traceId: bytesOf(span.traceId),
    spanId: bytesOf(span.spanId),
    ...(parentSpanId === undefined ? {} : { parentSpanId: bytesOf(parentSpanId) }),
    traceState,
    name: span.name,
    kind: span.kind === 'server' ? Kind.SERVER : Kind.CLIENT,
    startTimeUnixNano: nanoseconds(span.startMs),
    endTimeUnixNano: nanoseconds(span.endMs),
    attributes: encodeAttributes(span.attributes),
    status: status.error ? { code: Code.ERROR, message: status.message ?? '' } : {},
    flags: span.sampled ? 1 : 0,
  })
  return toBinary(SpanSchema, message)
}

function bytesOf(hexadecimal: string): Buffer {
  return Buffer.from(hexadecimal, 'hex')
}

// Spans → ExportTraceServiceRequest of OTLP, the message of both OTLP/gRPC and OTLP/HTTP.
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'

import {
  ExportTraceServiceRequestSchema,
  ExportTraceServiceResponseSchema,
  Span_SpanKind as Kind,
  type SpanSchema,
  Status_StatusCode as Code,
  TraceService,
} from '../../contracts/xds/gen/opentelemetry/trace_export_pb.ts'
import { encodeAttributes, nanoseconds, type OtlpAttributes, type OtlpSignal } from '../otlp.xds.ts'
import type { SpanRecord } from './tracing.spec.ts'

export const traceSignal: OtlpSignal = {
  grpcPath: `/${TraceService.typeName}/${TraceService.method.export.name}`,
  rejected: decodeRejectedSpans,
}

/** `resource`: what all of them are about. */
export function encodeTraceExport(resource: OtlpAttributes, spans: readonly SpanRecord[]): Uint8Array {
  return toBinary(
    ExportTraceServiceRequestSchema,
    create(ExportTraceServiceRequestSchema, {
      resourceSpans: [
        {
          resource: { attributes: encodeAttributes(resource) },
          scopeSpans: [{ scope: { name: 'heddle' }, spans: spans.map(encodeSpan) }],
        },
      ],
    }),
  )
}

/** How many spans the collector has refused. Throws an Error where it is no such message. */
export function decodeRejectedSpans(bytes: Uint8Array): number {
  return Number(fromBinary(ExportTraceServiceResponseSchema, bytes).partialSuccess?.rejectedSpans ?? 0n)
}

function encodeSpan(span: SpanRecord): MessageInitShape<typeof SpanSchema> {
  const { parentSpanId, traceState = '', status } = span
  return {
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
  }
}

function bytesOf(hexadecimal: string): Buffer {
  return Buffer.from(hexadecimal, 'hex')
}

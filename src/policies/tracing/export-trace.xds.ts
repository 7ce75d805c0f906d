// A span → Span of OTLP; and where they go.
import { fromBinary } from '@bufbuild/protobuf'

import {
  ExportTraceServiceResponseSchema,
  Span_SpanKind as Kind,
  Status_StatusCode as Code,
  TraceService,
} from '../../contracts/xds/gen/opentelemetry/trace_export_pb.ts'
import { ProtobufWriter } from '../../core/protobuf-writer.ts'
import { nanoseconds, type OtlpSignal, writeAttributes } from '../otlp.xds.ts'
import type { SpanRecord } from './tracing.spec.ts'

export const traceSignal: OtlpSignal = {
  grpcPath: `/${TraceService.typeName}/${TraceService.method.export.name}`,
  rejected: decodeRejectedSpans,
}

/** How many spans the collector has refused. Throws an Error where it is no such message. */
export function decodeRejectedSpans(bytes: Uint8Array): number {
  return Number(fromBinary(ExportTraceServiceResponseSchema, bytes).partialSuccess?.rejectedSpans ?? 0n)
}

/** Numbers of fields: opentelemetry.proto.trace.v1.Span. */
export function encodeSpan(span: SpanRecord): Uint8Array {
  const writer = new ProtobufWriter()
  const { parentSpanId, traceState, status } = span
  writer.hexadecimal(1, span.traceId)
  writer.hexadecimal(2, span.spanId)
  if (traceState !== undefined) writer.text(3, traceState)
  if (parentSpanId !== undefined) writer.hexadecimal(4, parentSpanId)
  writer.text(5, span.name)
  writer.varint(6, span.kind === 'server' ? Kind.SERVER : Kind.CLIENT)
  writer.fixed64(7, nanoseconds(span.startMs))
  writer.fixed64(8, nanoseconds(span.endMs))
  writeAttributes(writer, 9, span.attributes)
  if (status.error) {
    const of = writer.begin(15)
    if (status.message !== undefined) writer.text(2, status.message)
    writer.varint(3, Code.ERROR)
    writer.end(of)
  }
  if (span.sampled) writer.fixed32(16, 1)
  return writer.finish()
}

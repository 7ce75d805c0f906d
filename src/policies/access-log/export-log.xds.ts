// A log record → LogRecord of OTLP; and where they go.
import { fromBinary } from '@bufbuild/protobuf'

import {
  ExportLogsServiceResponseSchema,
  LogsService,
  SeverityNumber as Severity,
} from '../../contracts/xds/gen/opentelemetry/logs_export_pb.ts'
import { ProtobufWriter } from '../../core/protobuf-writer.ts'
import { nanoseconds, type OtlpSignal, writeAttributes, writeValue } from '../otlp.xds.ts'
import type { LogRecord } from './access-log.spec.ts'

export const logSignal: OtlpSignal = {
  grpcPath: `/${LogsService.typeName}/${LogsService.method.export.name}`,
  rejected: (answer) =>
    Number(fromBinary(ExportLogsServiceResponseSchema, answer).partialSuccess?.rejectedLogRecords ?? 0n),
}

/** Numbers of fields: opentelemetry.proto.logs.v1.LogRecord. */
export function encodeLogRecord(record: LogRecord): Uint8Array {
  const writer = new ProtobufWriter()
  const { failed, body, traceId, spanId } = record
  writer.fixed64(1, nanoseconds(record.startMs))
  writer.varint(2, failed ? Severity.ERROR : Severity.INFO)
  writer.text(3, failed ? 'ERROR' : 'INFO')
  if (body !== undefined) writeValue(writer, 5, body)
  writeAttributes(writer, 6, record.attributes)
  if (record.sampled) writer.fixed32(8, 1)
  if (traceId !== undefined) writer.hexadecimal(9, traceId)
  if (spanId !== undefined) writer.hexadecimal(10, spanId)
  writer.fixed64(11, nanoseconds(record.observedMs))
  return writer.finish()
}

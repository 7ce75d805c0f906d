// A log record → LogRecord of OTLP; and where they go.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'

import {
  ExportLogsServiceResponseSchema,
  LogRecordSchema,
  LogsService,
  SeverityNumber as Severity,
} from '../../contracts/xds/gen/opentelemetry/logs_export_pb.ts'
import { encodeAttributes, nanoseconds, type OtlpSignal } from '../otlp.xds.ts'
import type { LogRecord } from './access-log.spec.ts'

export const logSignal: OtlpSignal = {
  grpcPath: `/${LogsService.typeName}/${LogsService.method.export.name}`,
  rejected: (answer) =>
    Number(fromBinary(ExportLogsServiceResponseSchema, answer).partialSuccess?.rejectedLogRecords ?? 0n),
}

export function encodeLogRecord(record: LogRecord): Uint8Array {
  const { failed, body, traceId, spanId } = record
  return toBinary(
    LogRecordSchema,
    create(LogRecordSchema, {
      timeUnixNano: nanoseconds(record.startMs),
      observedTimeUnixNano: nanoseconds(record.observedMs),
      severityNumber: failed ? Severity.ERROR : Severity.INFO,
      severityText: failed ? 'ERROR' : 'INFO',
      ...(body === undefined ? {} : { body: { value: { case: 'stringValue', value: body } } }),
      attributes: encodeAttributes(record.attributes),
      ...(traceId === undefined ? {} : { traceId: Buffer.from(traceId, 'hex') }),
      ...(spanId === undefined ? {} : { spanId: Buffer.from(spanId, 'hex') }),
      flags: record.sampled ? 1 : 0,
    }),
  )
}

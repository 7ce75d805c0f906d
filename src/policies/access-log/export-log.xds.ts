// Log records → ExportLogsServiceRequest of OTLP, the message of both OTLP/gRPC and OTLP/HTTP.
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'

import {
  ExportLogsServiceRequestSchema,
  ExportLogsServiceResponseSchema,
  type LogRecordSchema,
  LogsService,
  SeverityNumber as Severity,
} from '../../contracts/xds/gen/opentelemetry/logs_export_pb.ts'
import { encodeAttributes, nanoseconds, type OtlpAttributes, type OtlpSignal } from '../otlp.xds.ts'
import type { LogRecord } from './access-log.spec.ts'

export const logSignal: OtlpSignal = {
  grpcPath: `/${LogsService.typeName}/${LogsService.method.export.name}`,
  rejected: (answer) =>
    Number(fromBinary(ExportLogsServiceResponseSchema, answer).partialSuccess?.rejectedLogRecords ?? 0n),
}

/** `resource`: what all of them are about. */
export function encodeLogExport(resource: OtlpAttributes, records: readonly LogRecord[]): Uint8Array {
  return toBinary(
    ExportLogsServiceRequestSchema,
    create(ExportLogsServiceRequestSchema, {
      resourceLogs: [
        {
          resource: { attributes: encodeAttributes(resource) },
          scopeLogs: [{ scope: { name: 'heddle' }, logRecords: records.map(encodeRecord) }],
        },
      ],
    }),
  )
}

function encodeRecord(record: LogRecord): MessageInitShape<typeof LogRecordSchema> {
  const { failed, body, traceId, spanId } = record
  return {
    timeUnixNano: nanoseconds(record.startMs),
    observedTimeUnixNano: nanoseconds(record.observedMs),
    severityNumber: failed ? Severity.ERROR : Severity.INFO,
    severityText: failed ? 'ERROR' : 'INFO',
    ...(body === undefined ? {} : { body: { value: { case: 'stringValue', value: body } } }),
    attributes: encodeAttributes(record.attributes),
    ...(traceId === undefined ? {} : { traceId: Buffer.from(traceId, 'hex') }),
    ...(spanId === undefined ? {} : { spanId: Buffer.from(spanId, 'hex') }),
    flags: record.sampled ? 1 : 0,
  }
}

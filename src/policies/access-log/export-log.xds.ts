// Log records → ExportLogsServiceRequest of OTLP, the message of both OTLP/gRPC and OTLP/HTTP.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'

import { InstrumentationScopeSchema, ResourceSchema } from '../../contracts/xds/gen/opentelemetry/common_pb.ts'
import {
  ExportLogsServiceRequestSchema,
  ExportLogsServiceResponseSchema,
  LogRecordSchema,
  LogsService,
  ResourceLogsSchema,
  ScopeLogsSchema,
  SeverityNumber as Severity,
} from '../../contracts/xds/gen/opentelemetry/logs_export_pb.ts'
import { encodeAttributes, nanoseconds, type OtlpAttributes, type OtlpSignal } from '../otlp.xds.ts'
import type { LogRecord } from './access-log.spec.ts'

export const logSignal: OtlpSignal = {
  grpcPath: `/${LogsService.typeName}/${LogsService.method.export.name}`,
  rejected: (answer) =>
    Number(fromBinary(ExportLogsServiceResponseSchema, answer).partialSuccess?.rejectedLogRecords ?? 0n),
}

/** `resource`: what all of them are about. `records`: each encoded before, so that what waits is no longer than what is sent. */
export function encodeLogExport(resource: OtlpAttributes, records: readonly Uint8Array[]): Uint8Array {
  const about = toBinary(ResourceSchema, create(ResourceSchema, { attributes: encodeAttributes(resource) }))
  const scope = toBinary(InstrumentationScopeSchema, create(InstrumentationScopeSchema, { name: 'heddle' }))
  const { field: ofScope } = ScopeLogsSchema
  const { field: ofResource } = ResourceLogsSchema
  const scopeLogs = messageOf([
    [ofScope.scope.number, scope],
    ...records.map((record) => [ofScope.logRecords.number, record] as const),
  ])
  const resourceLogs = messageOf([
    [ofResource.resource.number, about],
    [ofResource.scopeLogs.number, scopeLogs],
  ])
  return messageOf([[ExportLogsServiceRequestSchema.field.resourceLogs.number, resourceLogs]])
}

/** Of messages that are encoded already, by the numbers of their fields. */
function messageOf(fields: readonly (readonly [number: number, message: Uint8Array])[]): Uint8Array {
  const writer = new BinaryWriter()
  for (const [number, message] of fields) writer.tag(number, WireType.LengthDelimited).bytes(message)
  return writer.finish()
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

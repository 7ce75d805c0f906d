// The access log ↔ a logger of an Envoy HttpConnectionManager: its own output, a file, or a collector of OpenTelemetry.
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'

import type { AccessLog, AccessLogSchema } from '../../contracts/xds/gen/envoy/config/accesslog/v3/accesslog_pb.ts'
import { FileAccessLogSchema } from '../../contracts/xds/gen/envoy/extensions/access_loggers/file/v3/file_pb.ts'
import { OpenTelemetryAccessLogConfigSchema } from '../../contracts/xds/gen/envoy/extensions/access_loggers/open_telemetry/v3/logs_service_pb.ts'
import { StdoutAccessLogSchema } from '../../contracts/xds/gen/envoy/extensions/access_loggers/stream/v3/stream_pb.ts'
import type {
  HttpFilter,
  HttpFilterSchema,
} from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { FileRotationSchema } from '../../contracts/xds/gen/heddle/v1/file_rotation_pb.ts'
import { decodeCollector, encodeCollector } from '../collector.xds.ts'
import { isTypedConfig, readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { AccessLogOutput, AccessLogSpec, FileRotationSpec } from './access-log.spec.ts'
import { decodeLineFormat, decodeLogRecordFormat, encodeLineFormat, encodeLogRecordFormat } from './line-format.xds.ts'
import { decodeLogFilter, encodeLogFilter } from './log-filter.xds.ts'

const ownOutput = '/dev/stdout'

/** Of a file of which nobody says it: it does not grow without end. */
const defaultRotation: FileRotationSpec = { longestBytes: 16 * 1024 * 1024, keptFiles: 3 }

export function encodeAccessLog(spec: AccessLogSpec): MessageInitShape<typeof AccessLogSchema>[] {
  if (!spec.enabled) return []
  const filter = encodeLogFilter(spec)
  const { name, value } = encodeLogger(spec)
  return [{ name, ...(filter === undefined ? {} : { filter }), configType: { case: 'typedConfig', value } }]
}

function encodeLogger(spec: AccessLogSpec): { readonly name: string; readonly value: Any } {
  const { output } = spec
  if (output?.kind === 'collector') {
    const { grpcService, httpService } = encodeCollector(output.collector)
    return {
      name: 'envoy.access_loggers.open_telemetry',
      value: typedConfig(OpenTelemetryAccessLogConfigSchema, {
        ...encodeLogRecordFormat(spec),
        ...(grpcService === undefined ? {} : { grpcService }),
        ...(httpService === undefined ? {} : { httpService }),
      }),
    }
  }
  const value = encodeLineFormat(spec)
  return {
    name: 'envoy.access_loggers.file',
    value: typedConfig(FileAccessLogSchema, {
      path: output?.path ?? ownOutput,
      ...(value === undefined ? {} : { accessLogFormat: { case: 'logFormat', value } }),
    }),
  }
}

/** Envoy has no field for it: other data planes pass by an optional filter. */
export function encodeFileRotation({ output }: AccessLogSpec): MessageInitShape<typeof HttpFilterSchema>[] {
  if (output?.kind !== 'file') return []
  const { longestBytes, keptFiles } = output.rotation
  const value = typedConfig(FileRotationSchema, { longestBytes: BigInt(longestBytes), keptFiles })
  return [{ name: 'heddle.file_rotation', isOptional: true, configType: { case: 'typedConfig', value } }]
}

/** The first of the loggers that is known here: others are for whoever asked for them. Throws an Error that says what cannot be served. */
export function decodeAccessLog(loggers: readonly AccessLog[], filters: readonly HttpFilter[]): AccessLogSpec {
  for (const { configType, filter } of loggers) {
    const any = configType.case === 'typedConfig' ? configType.value : undefined
    const logger = decodeLogger(any, filters)
    if (logger !== undefined) return { enabled: true, ...decodeLogFilter(filter), ...logger }
  }
  return { enabled: false, samplePercent: 0 }
}

function decodeLogger(
  any: Any | undefined,
  filters: readonly HttpFilter[],
): Pick<AccessLogSpec, 'format' | 'json' | 'output'> | undefined {
  if (isTypedConfig(any, FileAccessLogSchema)) {
    const { path, accessLogFormat } = readTypedConfig(any, FileAccessLogSchema, 'access_log')
    const format = accessLogFormat.case === 'logFormat' ? decodeLineFormat(accessLogFormat.value) : {}
    if (path === ownOutput) return format
    const output: AccessLogOutput = { kind: 'file', path, rotation: decodeFileRotation(filters) }
    return { ...format, output }
  }
  if (isTypedConfig(any, StdoutAccessLogSchema)) {
    const { accessLogFormat } = readTypedConfig(any, StdoutAccessLogSchema, 'access_log')
    return accessLogFormat.case === 'logFormat' ? decodeLineFormat(accessLogFormat.value) : {}
  }
  if (!isTypedConfig(any, OpenTelemetryAccessLogConfigSchema)) return undefined
  const config = readTypedConfig(any, OpenTelemetryAccessLogConfigSchema, 'access_log')
  const { grpcService = config.commonConfig?.grpcService, httpService } = config
  const collector = decodeCollector({ grpcService, httpService }, 'access_log')
  return { ...decodeLogRecordFormat(config), output: { kind: 'collector', collector } }
}

function decodeFileRotation(filters: readonly HttpFilter[]): FileRotationSpec {
  for (const { configType } of filters) {
    const any = configType.case === 'typedConfig' ? configType.value : undefined
    if (!isTypedConfig(any, FileRotationSchema)) continue
    const { longestBytes, keptFiles } = readTypedConfig(any, FileRotationSchema, 'access_log: file rotation')
    return { longestBytes: Number(longestBytes), keptFiles }
  }
  return defaultRotation
}

// What is in a line ↔ Envoy's SubstitutionFormatString; for a collector, the body and the attributes of a log record.
import type { JsonObject, JsonValue, MessageInitShape } from '@bufbuild/protobuf'

import { parseLineFormat } from '../../contracts/access-log-format.ts'
import type {
  SubstitutionFormatString,
  SubstitutionFormatStringSchema,
} from '../../contracts/xds/gen/envoy/config/core/v3/substitution_format_string_pb.ts'
import type { OpenTelemetryAccessLogConfig } from '../../contracts/xds/gen/envoy/extensions/access_loggers/open_telemetry/v3/logs_service_pb.ts'
import type {
  AnyValue,
  AnyValueSchema,
  KeyValueList,
  KeyValueListSchema,
} from '../../contracts/xds/gen/opentelemetry/common_pb.ts'
import type { AccessLogSpec, JsonLineFormat } from './access-log.spec.ts'

type LineFormat = Pick<AccessLogSpec, 'format' | 'json'>

interface LogRecordInit {
  readonly body?: MessageInitShape<typeof AnyValueSchema>
  readonly attributes?: MessageInitShape<typeof KeyValueListSchema>
}

/** Undefined: Envoy's default stands for ours. */
export function encodeLineFormat({
  format,
  json,
}: LineFormat): MessageInitShape<typeof SubstitutionFormatStringSchema> | undefined {
  if (json !== undefined) return { format: { case: 'jsonFormat', value: json }, omitEmptyValues: true }
  if (format === undefined) return undefined
  // every line ends: Envoy writes the text as it is
  const text = { case: 'inlineString' as const, value: `${format}\n` }
  return { format: { case: 'textFormatSource', value: { specifier: text } } }
}

/** Throws an Error that says what is not understood. */
export function decodeLineFormat({ format }: SubstitutionFormatString): LineFormat {
  if (format.case === 'jsonFormat') return { json: decodeFields(format.value) }
  if (format.case !== 'textFormatSource') return {}
  const { specifier } = format.value
  if (specifier.case !== 'inlineString') throw new Error('access_log: the format has to be an inline_string')
  return { format: understood(specifier.value.replace(/\n$/, '')) }
}

/** The text is the body; the fields are the attributes, in place of all others. */
export function encodeLogRecordFormat({ format, json }: LineFormat): LogRecordInit {
  return {
    ...(format === undefined ? {} : { body: { value: { case: 'stringValue', value: format } } }),
    ...(json === undefined ? {} : { attributes: encodeAttributeFields(json) }),
  }
}

export function decodeLogRecordFormat({ body, attributes }: OpenTelemetryAccessLogConfig): LineFormat {
  const format = body?.value.case === 'stringValue' ? understood(body.value.value) : undefined
  const json =
    attributes === undefined || attributes.values.length === 0 ? undefined : decodeAttributeFields(attributes)
  return { ...(format === undefined ? {} : { format }), ...(json === undefined ? {} : { json }) }
}

function understood(text: string): string {
  const parsed = parseLineFormat(text)
  if (typeof parsed === 'string') throw new Error(`access_log: ${parsed}`)
  return text
}

function decodeFields(fields: JsonObject): JsonLineFormat {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, decodeField(name, value)]))
}

function decodeField(name: string, value: JsonValue): string | JsonLineFormat {
  if (typeof value === 'string') return understood(value)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`access_log: the field "${name}" has to be a text or a map of fields`)
  return decodeFields(value)
}

function encodeAttributeFields(fields: JsonLineFormat): MessageInitShape<typeof KeyValueListSchema> {
  return {
    values: Object.entries(fields).map(([key, value]) => ({
      key,
      value: {
        value:
          typeof value === 'string'
            ? { case: 'stringValue' as const, value }
            : { case: 'kvlistValue' as const, value: encodeAttributeFields(value) },
      },
    })),
  }
}

function decodeAttributeFields({ values }: KeyValueList): JsonLineFormat {
  return Object.fromEntries(values.map(({ key, value }) => [key, decodeAttributeField(key, value)]))
}

function decodeAttributeField(key: string, field: AnyValue | undefined): string | JsonLineFormat {
  if (field?.value.case === 'stringValue') return understood(field.value.value)
  if (field?.value.case === 'kvlistValue') return decodeAttributeFields(field.value.value)
  throw new Error(`access_log: the attribute "${key}" has to be a text or a list of attributes`)
}

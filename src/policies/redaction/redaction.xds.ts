// Redaction ↔ Heddle's own, in an optional HTTP filter of an Envoy HttpConnectionManager.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type {
  HttpFilter,
  HttpFilterSchema,
} from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { RedactionSchema } from '../../contracts/xds/gen/heddle/v1/redaction_pb.ts'
import { isTypedConfig, readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { RedactionSpec } from './redaction.spec.ts'

/** For other data planes it means nothing. */
export function encodeRedaction(spec: RedactionSpec | undefined): MessageInitShape<typeof HttpFilterSchema>[] {
  if (spec === undefined) return []
  const value = typedConfig(RedactionSchema, { fields: [...spec.fields], headers: [...spec.headers] })
  return [{ name: 'heddle.redaction', isOptional: true, configType: { case: 'typedConfig', value } }]
}

/** Undefined: nothing is configured. */
export function decodeRedaction(filters: readonly HttpFilter[]): RedactionSpec | undefined {
  for (const { configType } of filters) {
    const any = configType.case === 'typedConfig' ? configType.value : undefined
    if (!isTypedConfig(any, RedactionSchema)) continue
    const { fields, headers } = readTypedConfig(any, RedactionSchema, 'redaction')
    return { fields, headers }
  }
  return undefined
}

// Descriptors ↔ the actions of envoy.config.route.v3.RateLimit.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type {
  RateLimit_Action,
  RateLimit_ActionSchema,
} from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { DescriptorSchema } from '../../contracts/xds/gen/envoy/extensions/rate_limit_descriptors/expr/v3/expr_pb.ts'
import { readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import type { DescriptorActionSpec, DescriptorSource } from './rate-limit.spec.ts'

type ActionInit = MessageInitShape<typeof RateLimit_ActionSchema>

/** Whose metadata holds the claims of verified tokens, and under which key: as authorization has it. */
const tokenFilter = 'envoy.filters.http.jwt_authn'
const tokenPayload = 'payload'

/** CEL of Envoy's attributes. */
const callerExpression = 'connection.uri_san_peer_certificate'
const pathExpression = 'request.url_path'
const methodHeader = ':method'
const addressKey = 'remote_address'

export function encodeAction({ key, by }: { readonly key: string; readonly by: DescriptorSource }): ActionInit {
  switch (by.kind) {
    case 'caller':
      return expression(key, callerExpression)
    case 'path':
      return expression(key, pathExpression)
    case 'method':
      return requestHeader(key, methodHeader)
    case 'header':
      return requestHeader(key, by.name)
    case 'address':
      return { actionSpecifier: { case: 'remoteAddress', value: {} } }
    case 'claim':
    default: {
      const path = [tokenPayload, ...by.path].map((name) => ({ segment: { case: 'key' as const, value: name } }))
      const value = { descriptorKey: key, metadataKey: { key: tokenFilter, path } }
      return { actionSpecifier: { case: 'metadata', value } }
    }
  }
}

function expression(descriptorKey: string, text: string): ActionInit {
  const descriptor = typedConfig(DescriptorSchema, { descriptorKey, exprSpecifier: { case: 'text', value: text } })
  const value = { name: 'envoy.rate_limit_descriptors.expr', typedConfig: descriptor }
  return { actionSpecifier: { case: 'extension', value } }
}

function requestHeader(descriptorKey: string, headerName: string): ActionInit {
  return { actionSpecifier: { case: 'requestHeaders', value: { headerName, descriptorKey } } }
}

/** Throws an Error that says what cannot be served. */
export function decodeAction({ actionSpecifier: action }: RateLimit_Action): DescriptorActionSpec {
  if (action.case === 'genericKey') {
    const { descriptorKey, descriptorValue } = action.value
    return { key: descriptorKey === '' ? 'generic_key' : descriptorKey, constant: descriptorValue }
  }
  if (action.case === 'requestHeaders') {
    const { headerName, descriptorKey, skipIfAbsent } = action.value
    if (skipIfAbsent) throw new Error('rate limit: request_headers with skip_if_absent is not supported')
    const name = headerName.toLowerCase()
    return { key: descriptorKey, by: name === methodHeader ? { kind: 'method' } : { kind: 'header', name } }
  }
  if (action.case === 'remoteAddress') return { key: addressKey, by: { kind: 'address' } }
  if (action.case === 'extension') {
    const place = `rate limit: ${action.value.name}`
    const { descriptorKey, exprSpecifier } = readTypedConfig(action.value.typedConfig, DescriptorSchema, place)
    return { key: descriptorKey, by: decodeExpression(exprSpecifier.case === 'text' ? exprSpecifier.value : '') }
  }
  if (action.case === 'metadata') {
    const { descriptorKey, metadataKey, defaultValue, source, skipIfAbsent } = action.value
    const [payload, ...path] = metadataKey?.path.map(({ segment }) => segment.value ?? '') ?? []
    const isClaim = metadataKey?.key === tokenFilter && payload === tokenPayload && path.length > 0
    if (!isClaim || defaultValue !== '' || source !== 0 || skipIfAbsent)
      throw new Error(`rate limit: metadata: only a claim of ${tokenFilter}, ${tokenPayload} is supported`)
    return { key: descriptorKey, by: { kind: 'claim', path } }
  }
  throw new Error(`rate limit: action ${action.case ?? 'none'} is not supported`)
}

function decodeExpression(text: string): DescriptorSource {
  if (text === callerExpression) return { kind: 'caller' }
  if (text === pathExpression) return { kind: 'path' }
  throw new Error(`rate limit: the expression "${text}" is not supported`)
}

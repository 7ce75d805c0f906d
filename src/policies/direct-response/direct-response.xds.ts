// Direct responses ↔ envoy.config.route.v3.DirectResponseAction. Their headers are response headers that the route sets.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type {
  DirectResponseAction,
  DirectResponseActionSchema,
} from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { encodeHeaderModifier } from '../header-modifier/header-modifier.xds.ts'
import type { HeaderMutationsInit } from '../header-modifier/header-modifier.xds.ts'
import type { DirectResponseSpec } from './direct-response.spec.ts'

/** What Envoy takes where the route configuration does not say otherwise. */
export const defaultBodyBytes = 4096

export function encodeDirectResponse({
  status,
  body,
}: Pick<DirectResponseSpec, 'status' | 'body'>): MessageInitShape<typeof DirectResponseActionSchema> {
  return { status, ...(body === undefined ? {} : { body: { specifier: { case: 'inlineString', value: body } } }) }
}

/** In front of what the route adds to responses: that has the last word. */
export function encodeDirectHeaders({ headers }: DirectResponseSpec): HeaderMutationsInit['add'] {
  return encodeHeaderModifier({ set: headers, add: [], remove: [] }).add
}

/** Without headers: they cannot be told from those that the route sets. Throws an Error that says what cannot be served. */
export function decodeDirectResponse({
  status,
  body,
}: DirectResponseAction): Pick<DirectResponseSpec, 'status' | 'body'> {
  if (status < 200 || status > 599) throw new Error(`direct_response: ${status} is not a status`)
  const specifier = body?.specifier
  if (specifier === undefined) return { status }
  if (specifier.case === 'inlineString') return { status, body: specifier.value }
  if (specifier.case === 'inlineBytes') return { status, body: readText(specifier.value) }
  throw new Error('direct_response: only inline_string and inline_bytes are supported')
}

function readText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw new Error('direct_response: inline_bytes must be text in UTF-8', { cause: error })
  }
}

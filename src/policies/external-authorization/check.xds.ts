// The question and its answer ↔ envoy.service.auth.v3.CheckRequest and CheckResponse.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'

import { HeaderValueOption_HeaderAppendAction as AppendAction } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import type { HeaderValueOption } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import {
  CheckRequestSchema,
  CheckResponseSchema,
} from '../../contracts/xds/gen/envoy/service/auth/v3/external_auth_pb.ts'
import type { AuthorizationAnswer, AuthorizationCheck, HeaderChange } from './external-authorization.spec.ts'

/** In bytes, as gRPC carries it. */
export function encodeCheck(check: AuthorizationCheck): Uint8Array {
  const { source, destination, timeMs } = check
  const seconds = Math.floor(timeMs / 1000)
  const request = create(CheckRequestSchema, {
    attributes: {
      source: { address: socketAddress(source.address, 0), principal: source.principal ?? '' },
      destination: {
        address: socketAddress(destination.address, destination.port),
        principal: destination.principal ?? '',
      },
      request: {
        time: { seconds: BigInt(seconds), nanos: Math.floor((timeMs - seconds * 1000) * 1e6) },
        http: {
          id: check.headers.get('x-request-id') ?? '',
          method: check.method,
          headers: headersOf(check),
          path: check.path,
          host: check.authority,
          scheme: check.scheme,
          ...bodyOf(check.body),
          size: sizeOf(check.headers.get('content-length')),
        },
      },
      ...(check.sni === undefined ? {} : { tlsSession: { sni: check.sni } }),
    },
  })
  return toBinary(CheckRequestSchema, request)
}

function socketAddress(address: string, port: number) {
  const portSpecifier = { case: 'portValue' as const, value: port }
  return { address: { case: 'socketAddress' as const, value: { address, portSpecifier } } }
}

/** With HTTP/2's pseudo-headers, as Envoy tells them. A header's bytes are read as UTF-8: protobuf has no other text. */
function headersOf({ headers, method, authority, path, scheme }: AuthorizationCheck): Record<string, string> {
  return {
    ':method': method,
    ':authority': authority,
    ':path': path,
    ':scheme': scheme,
    ...Object.fromEntries([...headers].map(([name, value]) => [name, Buffer.from(value, 'latin1').toString()])),
  }
}

function bodyOf(body: AuthorizationCheck['body']): { readonly body: string } | { readonly rawBody: Uint8Array } {
  return typeof body === 'object' ? { rawBody: body } : { body: body ?? '' }
}

/** -1: not known. */
function sizeOf(contentLength: string | undefined): bigint {
  return contentLength !== undefined && /^[0-9]{1,18}$/.test(contentLength) ? BigInt(contentLength) : -1n
}

/** Throws an Error when the answer is damaged or asks for what cannot be done. */
export function decodeCheckAnswer(bytes: Uint8Array): AuthorizationAnswer {
  const { status, httpResponse } = fromBinary(CheckResponseSchema, bytes)
  const code = status?.code ?? 0
  if (httpResponse.case === 'deniedResponse') {
    const { value } = httpResponse
    return {
      kind: 'denied',
      status: value.status?.code ?? 403,
      changes: value.headers.map(decodeChange),
      body: value.body,
    }
  }
  if (code !== 0) return { kind: 'denied', status: 403, changes: [], body: '' }
  if (httpResponse.case === undefined) return { kind: 'allowed', changes: [], remove: [] }
  const { headers, headersToRemove, queryParametersToSet, queryParametersToRemove } = httpResponse.value
  if (queryParametersToSet.length + queryParametersToRemove.length > 0)
    throw new Error('the answer changes the query, which is not supported')
  return {
    kind: 'allowed',
    changes: headers.map(decodeChange),
    remove: headersToRemove.map((name) => name.toLowerCase()),
  }
}

function decodeChange({ header, append, appendAction }: HeaderValueOption): HeaderChange {
  const raw = header?.rawValue ?? new Uint8Array()
  const value =
    raw.length > 0 ? Buffer.from(raw).toString('latin1') : Buffer.from(header?.value ?? '').toString('latin1')
  return { name: (header?.key ?? '').toLowerCase(), value, how: howOf(append, appendAction) }
}

/** Here, unlike elsewhere in Envoy, to say nothing means to replace: a caller's own "x-user" must not stay. */
function howOf(append: boolean | undefined, action: number): HeaderChange['how'] {
  if (append !== undefined) return append ? 'add' : 'set'
  if (action === AppendAction.ADD_IF_ABSENT) return 'add-if-absent'
  return action === AppendAction.OVERWRITE_IF_EXISTS ? 'set-if-present' : 'set'
}

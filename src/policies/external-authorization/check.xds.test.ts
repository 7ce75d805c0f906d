// Questions and answers as an authorization server sees and writes them.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'

import {
  CheckRequestSchema,
  CheckResponseSchema,
} from '../../contracts/xds/gen/envoy/service/auth/v3/external_auth_pb.ts'
import { decodeCheckAnswer, encodeCheck } from './check.xds.ts'
import type { AuthorizationAnswer } from './external-authorization.spec.ts'

function address(text: string, value: number): object {
  const socketAddress = { address: text, portSpecifier: { case: 'portValue', value } }
  return { address: { case: 'socketAddress', value: socketAddress } }
}

it('a question holds the peers, the time and the request', () => {
  const bytes = encodeCheck({
    source: { address: '10.0.0.1', principal: 'spiffe://mesh.local/ns/a/sa/web' },
    destination: { address: '10.0.0.2', port: 9080, principal: undefined },
    sni: 'shop.example',
    timeMs: 1_700_000_000_250,
    method: 'POST',
    scheme: 'https',
    authority: 'shop.example',
    path: '/a?b=c',
    headers: new Map([
      ['content-length', '3'],
      ['x-request-id', 'id'],
      ['x-name', Buffer.from('Zoë').toString('latin1')],
    ]),
  })
  expect(fromBinary(CheckRequestSchema, bytes).attributes).toMatchObject({
    source: { address: address('10.0.0.1', 0), principal: 'spiffe://mesh.local/ns/a/sa/web' },
    destination: { address: address('10.0.0.2', 9080), principal: '' },
    tlsSession: { sni: 'shop.example' },
    request: {
      time: { seconds: 1_700_000_000n, nanos: 250_000_000 },
      http: {
        id: 'id',
        method: 'POST',
        path: '/a?b=c',
        host: 'shop.example',
        scheme: 'https',
        size: 3n,
        headers: {
          ':method': 'POST',
          ':authority': 'shop.example',
          ':path': '/a?b=c',
          ':scheme': 'https',
          'content-length': '3',
          'x-request-id': 'id',
          'x-name': 'Zoë',
        },
      },
    },
  })
})

it('a question holds the body, as a text or as bytes', () => {
  const peer = { address: '10.0.0.1', principal: undefined }
  const head = { method: 'POST', scheme: 'http', authority: 'a', path: '/', headers: new Map() }
  const check = { source: peer, destination: { ...peer, port: 1 }, sni: undefined, timeMs: 0, ...head }
  const shown = (body: Uint8Array | string | undefined): unknown =>
    fromBinary(CheckRequestSchema, encodeCheck(body === undefined ? check : { ...check, body })).attributes?.request
      ?.http
  expect(shown('Zoë')).toMatchObject({ body: 'Zoë', rawBody: new Uint8Array() })
  expect(shown(Uint8Array.of(0xff))).toMatchObject({ body: '', rawBody: Uint8Array.of(0xff) })
  expect(shown(undefined)).toMatchObject({ body: '', rawBody: new Uint8Array() })
})

function answer(init: MessageInitShape<typeof CheckResponseSchema>): AuthorizationAnswer {
  return decodeCheckAnswer(toBinary(CheckResponseSchema, create(CheckResponseSchema, init)))
}

const denied: AuthorizationAnswer = { kind: 'denied', status: 403, changes: [], body: '' }

describe('an answer', () => {
  it.each<[string, MessageInitShape<typeof CheckResponseSchema>, AuthorizationAnswer]>([
    ['of nothing allows', {}, { kind: 'allowed', changes: [], remove: [] }],
    ['with another status denies', { status: { code: 7 } }, denied],
    [
      'with another status denies, whatever else it says',
      { status: { code: 7 }, httpResponse: { case: 'okResponse', value: {} } },
      denied,
    ],
    ['that denies does so with any status', { httpResponse: { case: 'deniedResponse', value: {} } }, denied],
    [
      'that denies says how',
      {
        status: { code: 16 },
        httpResponse: {
          case: 'deniedResponse',
          value: { status: { code: 401 }, headers: [{ header: { key: 'X-A', value: 'b' } }], body: 'no' },
        },
      },
      { kind: 'denied', status: 401, changes: [{ name: 'x-a', value: 'b', how: 'set' }], body: 'no' },
    ],
    [
      'changes headers',
      {
        httpResponse: {
          case: 'okResponse',
          value: {
            headers: [
              { header: { key: 'a', value: 'é' } },
              { header: { key: 'b', rawValue: Uint8Array.of(0xe9) } },
              { header: { key: 'c', value: 'c' }, append: true },
              { header: { key: 'd', value: 'd' }, append: false },
              { header: { key: 'e', value: 'e' }, appendAction: 1 },
              { header: { key: 'f', value: 'f' }, appendAction: 2 },
              { header: { key: 'g', value: 'g' }, appendAction: 3 },
            ],
            headersToRemove: ['X-B'],
          },
        },
      },
      {
        kind: 'allowed',
        changes: [
          { name: 'a', value: Buffer.from('é').toString('latin1'), how: 'set' },
          { name: 'b', value: 'é', how: 'set' },
          { name: 'c', value: 'c', how: 'add' },
          { name: 'd', value: 'd', how: 'set' },
          { name: 'e', value: 'e', how: 'add-if-absent' },
          { name: 'f', value: 'f', how: 'set' },
          { name: 'g', value: 'g', how: 'set-if-present' },
        ],
        remove: ['x-b'],
      },
    ],
  ])('%s', (_, init, expected) => {
    expect(answer(init)).toEqual(expected)
  })

  it('that changes the query, or is damaged, is none', () => {
    const value = { queryParametersToRemove: ['a'] }
    expect(() => answer({ httpResponse: { case: 'okResponse', value } })).toThrow('query')
    expect(() => decodeCheckAnswer(Uint8Array.of(0xff))).toThrow()
  })
})

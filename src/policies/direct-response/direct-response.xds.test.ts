import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { DirectResponseActionSchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { directResponseSchema } from './direct-response.schema.ts'
import { decodeDirectResponse, encodeDirectHeaders, encodeDirectResponse } from './direct-response.xds.ts'

const status = fc.integer({ min: 200, max: 599 })

function decodedBytes(value: Uint8Array): unknown {
  const init = { status: 200, body: { specifier: { case: 'inlineBytes' as const, value } } }
  return decodeDirectResponse(overTheWire(DirectResponseActionSchema, init))
}

describe('direct responses over xDS', () => {
  it('decodes what it encodes', () => {
    const spec = fc.oneof(
      fc.record({ status }, { noNullPrototype: true }),
      fc.record({ status, body: fc.string({ unit: 'grapheme', minLength: 1 }) }, { noNullPrototype: true }),
    )
    fc.assert(
      fc.property(spec, (one) => {
        expect(decodeDirectResponse(overTheWire(DirectResponseActionSchema, encodeDirectResponse(one)))).toEqual(one)
      }),
    )
  })

  it('has its headers replace those of the proxy, with "%" as it is', () => {
    const headers = [{ name: 'content-type', value: '100%' }]
    expect(encodeDirectHeaders({ status: 200, headers })).toMatchObject([
      { header: { key: 'content-type', value: '100%%' } },
    ])
  })

  it('takes a body in bytes that is text', () => {
    expect(decodedBytes(Buffer.from('ä'))).toEqual({ status: 200, body: 'ä' })
    expect(() => decodedBytes(Uint8Array.of(0xff))).toThrow('must be text')
  })

  it.each([
    [{ status: 100 }, '100 is not a status'],
    [{ status: 600 }, '600 is not a status'],
    [{ status: 200, body: { specifier: { case: 'filename', value: '/etc/passwd' } } }, 'only inline_string'],
  ])('refuses %j', (init, reason) => {
    expect(() => decodeDirectResponse(overTheWire(DirectResponseActionSchema, init as never))).toThrow(reason)
  })
})

describe('the form directResponse', () => {
  it.each([
    [{ status: 199 }, 'status'],
    [{ status: 204, body: 'x' }, 'a response with status 204 has no body'],
    [{ status: 200, body: 'ä'.repeat(32_769) }, 'a body has 65536 bytes at the most, this has 65538'],
    [{ status: 200, headers: [{ name: 'Content-Length', value: '1' }] }, 'Content-Length is made by the proxy'],
  ])('refuses %j', (value, message) => {
    const issues = directResponseSchema.safeParse(value).error?.issues ?? []
    expect(issues.map((issue) => `${issue.path.join('.')} ${issue.message}`)).toEqual([
      expect.stringContaining(message),
    ])
  })

  it('takes the longest body', () => {
    expect(directResponseSchema.safeParse({ status: 200, body: 'x'.repeat(65_536) }).success).toBe(true)
  })
})

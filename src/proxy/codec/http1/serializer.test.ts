import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { HeaderList } from '../../../core/header-list.ts'
import { type ParsedRequest, type ParsedResponse, parseRequestHead, parseResponseHead } from './message-head.ts'
import { chunkStart, lastChunk, serializeRequestHead, serializeResponseHead } from './serializer.ts'

const token = fc.stringMatching(/^[!#$%&'*+.^_`|~A-Za-z0-9-]{1,12}$/)
const value = fc.stringMatching(/^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]{0,20}[\x21-\x7e\x80-\xff])?)?$/)
/** Names that are not this hop's own business. */
const name = token.filter((text) => ![2, 4, 6, 7, 10, 14, 16, 17].includes(text.length))
const headers = fc.array(fc.tuple(name, value), { maxLength: 10 })
const length = fc.oneof(fc.nat(), fc.constant('unknown' as const))

describe('heads', () => {
  it('requests are read back as they were', () => {
    const target = fc.stringMatching(/^\/[!$&-;=?-Z_a-z~]{0,30}$/)
    fc.assert(
      fc.property(token, target, headers, length, (method, path, lines, bodyLength) => {
        fc.pre(method !== 'CONNECT')
        const head = {
          method,
          scheme: 'http',
          authority: 'a.example:80',
          path,
          headers: HeaderList.of(...lines),
        } as const
        const bytes = Buffer.from(serializeRequestHead(head, { length: bodyLength, upgrade: undefined }), 'latin1')
        const parsed = parseRequestHead(bytes, 0, bytes.length) as ParsedRequest
        expect(parsed.length).toBe(bodyLength)
        expect(parsed.head).toMatchObject({ method, authority: 'a.example:80', path })
        expect([...parsed.head.headers].filter(([one]) => one.toLowerCase() !== 'content-length')).toEqual(lines)
      }),
    )
  })

  it('responses are read back as they were', () => {
    fc.assert(
      fc.property(fc.integer({ min: 200, max: 599 }), headers, length, (status, lines, bodyLength) => {
        fc.pre(status !== 204 && status !== 304)
        const framing = { length: bodyLength, connection: undefined, upgrade: undefined }
        const text = serializeResponseHead({ status, headers: HeaderList.of(...lines) }, framing)
        const bytes = Buffer.from(text, 'latin1')
        const parsed = parseResponseHead(bytes, 0, bytes.length, 'GET') as ParsedResponse
        expect(parsed).toMatchObject({ length: bodyLength, chunked: bodyLength === 'unknown', persistent: true })
        expect(parsed.head.status).toBe(status)
        expect([...parsed.head.headers].filter(([one]) => one.toLowerCase() !== 'content-length')).toEqual(lines)
      }),
    )
  })

  it('framing lines come from the framing, not from the list', () => {
    const lines = HeaderList.of(
      ['Content-Length', '99'],
      ['Transfer-Encoding', 'gzip'],
      ['Connection', 'x'],
      ['Host', 'b'],
    )
    const head = { method: 'POST', scheme: 'http', authority: 'a', path: '/', headers: lines } as const
    expect(serializeRequestHead(head, { length: 3, upgrade: undefined })).toBe(
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n',
    )
    expect(serializeRequestHead(head, { length: 'unknown', upgrade: undefined })).toBe(
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n',
    )
  })

  it('a value from configuration cannot end its line', () => {
    const lines = HeaderList.of(['x-a', 'b\r\nx-forged: 1'], ['x-c', 'č\u010a'])
    const head = { method: 'GET', scheme: 'http', authority: 'a', path: '/', headers: lines } as const
    const bytes = Buffer.from(serializeRequestHead(head, { length: 0, upgrade: undefined }), 'latin1')
    const parsed = parseRequestHead(bytes, 0, bytes.length) as ParsedRequest
    expect([...parsed.head.headers].map(([one]) => one)).toEqual(['x-a', 'x-c'])
  })

  it('keeps the length that a GET would have had for HEAD', () => {
    const head = { status: 200, headers: HeaderList.of(['content-length', '7']) }
    const text = serializeResponseHead(head, { length: 'declared', connection: 'close', upgrade: undefined })
    expect(text).toBe('HTTP/1.1 200 OK\r\ncontent-length: 7\r\nConnection: close\r\n\r\n')
  })
})

describe('chunks', () => {
  it('have hexadecimal sizes, and trailers at the end', () => {
    expect(chunkStart(255)).toBe('ff\r\n')
    expect(lastChunk(undefined)).toBe('0\r\n\r\n')
    expect(lastChunk(HeaderList.of(['x-sum', '1']))).toBe('0\r\nx-sum: 1\r\n\r\n')
  })
})

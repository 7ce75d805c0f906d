import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { cutAt, parsePieces } from '../../../../test/kit/http1-events.ts'
import { limits } from './limits.ts'

const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1')
const parse = (text: string, method?: string) => parsePieces([bytesOf(text)], method)
const get = (lines: string): string => `GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`
const post = (lines: string, body: string): string => `POST / HTTP/1.1\r\nHost: a\r\n${lines}\r\n${body}`

/** Of a request that must be refused: what the server says. */
function refusal(text: string): string | undefined {
  const { error, messages } = parse(text)
  expect(messages.filter((message) => message.complete)).toEqual([])
  return error
}

describe('requests that are read', () => {
  it('takes a length-delimited body', () => {
    const [message] = parse(post('Content-Length: 5\r\n', 'hello')).messages
    expect(message).toMatchObject({ framing: 5, body: 'hello', complete: true })
  })

  it('takes a chunked body with extensions and trailers, and drops trailers that could change meaning', () => {
    const body = '5;a=b\r\nhello\r\n06;c="d"\r\n world\r\n0\r\nX-Sum: 1\r\nContent-Length: 3\r\n\r\n'
    const [message] = parse(post('Transfer-Encoding: Chunked\r\n', body)).messages
    expect(message).toMatchObject({ body: 'hello world', complete: true, trailers: ['X-Sum: 1'] })
  })

  it('reads pipelined requests one after the other', () => {
    const { messages } = parse(`${get('')}${post('Content-Length: 2\r\n', 'ab')}${get('')}`)
    expect(messages.map((message) => message.body)).toEqual(['', 'ab', ''])
  })

  it('ignores an empty line before a request', () => {
    expect(parse(`\r\n${get('')}`).messages).toHaveLength(1)
  })

  it('takes a repeated Content-Length of the same value once', () => {
    const [message] = parse(post('Content-Length: 2\r\nContent-Length: 2\r\n', 'ab')).messages
    expect(message?.head.match(/content-length/gi)).toHaveLength(1)
  })

  it('drops what concerns only this hop, and what Connection names', () => {
    const lines =
      'Connection: keep-alive, X-Secret\r\nX-Secret: 1\r\nProxy-Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\nX-Kept: 2\r\n'
    const head = parse(get(lines)).messages[0]?.head ?? ''
    expect(JSON.parse(head)[1]).toEqual([['X-Kept', '2']])
  })

  it('takes host and path from an absolute target', () => {
    const head = parse('GET http://Reviews:9080?a=1 HTTP/1.1\r\nHost: other\r\n\r\n').messages[0]?.head ?? ''
    expect(JSON.parse(head)[0]).toEqual({ method: 'GET', scheme: 'http', authority: 'reviews:9080', path: '/?a=1' })
  })

  it('says when a message was cut short', () => {
    expect(parse(post('Content-Length: 5\r\n', 'hell')).cutShort).toBe(true)
    expect(parse('GET / HT').cutShort).toBe(true)
    expect(parse(get('')).cutShort).toBe(false)
  })
})

describe('requests that are refused', () => {
  const chunked = 'Transfer-Encoding: chunked\r\n'
  const cases: Record<string, [status: number, text: string]> = {
    'Content-Length and Transfer-Encoding': [400, post(`Content-Length: 5\r\n${chunked}`, '0\r\n\r\n')],
    'Content-Lengths that differ': [400, post('Content-Length: 5\r\nContent-Length: 6\r\n', 'hello')],
    'a list of Content-Lengths': [400, post('Content-Length: 5, 5\r\n', 'hello')],
    'a signed Content-Length': [400, post('Content-Length: +5\r\n', 'hello')],
    'a hexadecimal Content-Length': [400, post('Content-Length: 0x5\r\n', 'hello')],
    'an empty Content-Length': [400, post('Content-Length:\r\n', '')],
    'a huge Content-Length': [400, post('Content-Length: 9999999999999999\r\n', '')],
    'chunked not last': [400, post('Transfer-Encoding: chunked, gzip\r\n', '0\r\n\r\n')],
    'chunked twice': [400, post(`${chunked}${chunked}`, '0\r\n\r\n')],
    'a coding without chunked': [400, post('Transfer-Encoding: gzip\r\n', '')],
    'a coding before chunked': [501, post('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n')],
    'a disguised chunked': [400, post('Transfer-Encoding: \x0bchunked\r\n', '0\r\n\r\n')],
    'Transfer-Encoding in HTTP/1.0': [400, `POST / HTTP/1.0\r\nHost: a\r\n${chunked}\r\n0\r\n\r\n`],
    'space before the colon': [400, get('X-A : 1\r\n')],
    'a folded line': [400, get('X-A: 1\r\n 2\r\n')],
    'a fold right after the request line': [400, 'GET / HTTP/1.1\r\n Host: a\r\n\r\n'],
    'a bare LF in the head': [400, 'GET / HTTP/1.1\nHost: a\n\n'],
    'a bare LF after a header': [400, 'GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n'],
    'a bare CR in a value': [400, get('X-A: 1\r2\r\n')],
    'a NUL in a value': [400, get('X-A: 1\0\r\n')],
    'an empty name': [400, get(': 1\r\n')],
    'a name with a bad character': [400, get('X(A): 1\r\n')],
    'a line without a colon': [400, get('Nonsense\r\n')],
    'no Host': [400, 'GET / HTTP/1.1\r\n\r\n'],
    'two Hosts': [400, get('Host: b\r\n')],
    'a Host with a path': [400, 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n'],
    'a Host with user information': [400, 'GET / HTTP/1.1\r\nHost: u@a\r\n\r\n'],
    'a URL with user information': [400, 'GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n'],
    'a URL of another scheme': [400, 'GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n'],
    'a relative target': [400, 'GET a HTTP/1.1\r\nHost: a\r\n\r\n'],
    'a target with a fragment': [400, 'GET /#a HTTP/1.1\r\nHost: a\r\n\r\n'],
    'a target with a space': [400, 'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n'],
    'two spaces': [400, 'GET  / HTTP/1.1\r\nHost: a\r\n\r\n'],
    'a tab in the request line': [400, 'GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n'],
    'no version': [400, 'GET /\r\nHost: a\r\n\r\n'],
    'a lower-case version': [400, 'GET / http/1.1\r\nHost: a\r\n\r\n'],
    'another version': [505, 'GET / HTTP/2.0\r\nHost: a\r\n\r\n'],
    'CONNECT without a port': [400, 'CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n'],
    'CONNECT with a body': [400, 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx'],
    'another expectation': [417, get('Expect: a-miracle\r\n')],
    'a chunk size that is none': [400, post(chunked, 'x\r\n')],
    'an empty chunk size': [400, post(chunked, '\r\n')],
    'a signed chunk size': [400, post(chunked, '-1\r\n')],
    'a chunk size with a prefix': [400, post(chunked, '0x5\r\nhello\r\n0\r\n\r\n')],
    'a huge chunk size': [400, post(chunked, 'fffffffffffff\r\n')],
    'a chunk size followed by a bare LF': [400, post(chunked, '5\nhello\r\n0\r\n\r\n')],
    'space after a chunk size': [400, post(chunked, '5 \r\nhello\r\n0\r\n\r\n')],
    'a bare LF in a chunk extension': [400, post(chunked, '5;a\nb\r\nhello\r\n0\r\n\r\n')],
    'a bare CR in a chunk extension': [400, post(chunked, '5;a\rb\r\nhello\r\n0\r\n\r\n')],
    'an endless chunk extension': [400, post(chunked, `5;${'a'.repeat(300)}\r\nhello\r\n0\r\n\r\n`)],
    'a chunk longer than its size': [400, post(chunked, '4\r\nhello\r\n0\r\n\r\n')],
    'chunk data that ends with a bare LF': [400, post(chunked, '5\r\nhello\n0\r\n\r\n')],
    'a folded trailer': [400, post(chunked, '0\r\nA: 1\r\n 2\r\n\r\n')],
    'endless trailers': [431, post(chunked, `0\r\nA: ${'a'.repeat(limits.trailerBytes)}`)],
    'a long request line': [414, `GET /${'a'.repeat(limits.requestLineBytes)}`],
    'a long header': [431, `GET / HTTP/1.1\r\nA: ${'a'.repeat(limits.headBytes)}`],
    'many headers': [431, get('A: 1\r\n'.repeat(limits.headerLines))],
  }
  for (const [name, [status, text]] of Object.entries(cases)) {
    it(`${status} for ${name}`, () => {
      expect(refusal(text)).toMatch(new RegExp(`^${status} `))
    })
  }
})

describe('responses', () => {
  const ok = 'HTTP/1.1 200 OK\r\n'

  it('knows which have no body', () => {
    for (const [method, head] of [
      ['HEAD', `${ok}Content-Length: 5\r\n\r\n`],
      ['GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
      ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n'],
    ] as const) {
      expect(parse(head, method).messages).toMatchObject([{ framing: 0, complete: true }])
    }
  })

  it('reads to the end of the connection when nothing says where a body ends', () => {
    expect(parse(`${ok}\r\nhello`, 'GET').messages).toMatchObject([{ framing: 'until-close', body: 'hello' }])
  })

  it('passes interim responses', () => {
    const text = `HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n${ok}Content-Length: 1\r\n\r\nx`
    expect(parse(text, 'GET').messages).toMatchObject([{ framing: 1, body: 'x', complete: true }])
  })

  it('takes a status line without a reason', () => {
    expect(parse('HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n', 'GET').messages).toHaveLength(1)
  })

  it('refuses what is ambiguous', () => {
    for (const text of [
      `${ok}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`,
      `${ok}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`,
      `${ok}Transfer-Encoding: gzip\r\n\r\n`,
      'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
      'HTTP/2 200\r\n\r\n',
      'HTTP/1.1 20 OK\r\n\r\n',
      'ICY 200 OK\r\n\r\n',
    ]) {
      expect(parse(text, 'GET').error, text).toMatch(/^\d{3} /)
    }
  })
})

describe('any cutting of the bytes', () => {
  const messages = [
    get(''),
    get('X-A: b \r\nConnection: close\r\n'),
    post('Content-Length: 11\r\n', 'hello world'),
    post('Transfer-Encoding: chunked\r\n', '5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n'),
    post('Transfer-Encoding: chunked\r\n', '5\r\nhellooo'),
    '\r\nOPTIONS * HTTP/1.0\r\n\r\n',
    'GET / HTTP/1.1\nHost: a\n\n',
    get('Bad Name: 1\r\n'),
    post('Content-Length: 1, 1\r\n', 'x'),
  ]

  it('gives the same messages and the same refusal', () => {
    const text = fc.array(fc.oneof(fc.constantFrom(...messages), fc.string({ maxLength: 8 })), { maxLength: 5 })
    fc.assert(
      fc.property(text, fc.array(fc.nat(), { maxLength: 40 }), (parts, cuts) => {
        const bytes = bytesOf(parts.join(''))
        expect(parsePieces(cutAt(bytes, cuts))).toEqual(parsePieces([bytes]))
      }),
    )
  })

  it('one byte at a time', () => {
    for (const text of messages) {
      const bytes = bytesOf(text + get(''))
      expect(parsePieces([...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(parsePieces([bytes]))
    }
  })

  it('also for responses', () => {
    const responses = [
      'HTTP/1.1 100 Continue\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
      'HTTP/1.1 204 \r\n\r\n',
      'HTTP/1.1 200 OK\r\n\r\nto the end',
    ]
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...responses), { maxLength: 4 }),
        fc.array(fc.nat(), { maxLength: 40 }),
        (parts, cuts) => {
          const bytes = bytesOf(parts.join(''))
          expect(parsePieces(cutAt(bytes, cuts), 'GET')).toEqual(parsePieces([bytes], 'GET'))
        },
      ),
    )
  })
})

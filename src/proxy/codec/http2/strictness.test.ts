import { describe, expect, test } from 'vitest'

import {
  block,
  frame,
  FrameConnection,
  get,
  post,
  preface,
  settings,
  settingsPayload,
  turn,
  uint32,
} from '../../../../test/kit/http2-frames.ts'
import { errors, serve } from '../../../../test/kit/http2-served.ts'
import { ManualClock } from '../../../../test/kit/manual-clock.ts'
import { HeaderList } from '../../../core/header-list.ts'
import { HttpParseError } from '../http1/parse-error.ts'
import { Http2ServerConnection } from './server-connection.ts'

describe('what breaks the connection', () => {
  const request = get(1)
  const cases: readonly (readonly [what: string, code: number, bytes: Buffer])[] = [
    ['4.2 a frame larger than was allowed', errors.frameSize, frame(0, 0, 1, Buffer.alloc(16_385))],
    ['4.3 a header block that cannot be decoded', errors.compression, frame(1, 0x5, 1, Buffer.from([0x80]))],
    [
      '4.3 a trailer block that cannot be decoded',
      errors.compression,
      Buffer.concat([post(1), frame(1, 5, 1, Buffer.from([0xbe]))]),
    ],
    ['5.1 DATA on an idle stream', errors.protocol, frame(0, 1, 1)],
    ['5.1 RST_STREAM on an idle stream', errors.protocol, frame(3, 0, 1, uint32(8))],
    ['5.1 WINDOW_UPDATE on an idle stream', errors.protocol, frame(8, 0, 1, uint32(1))],
    ['5.1 CONTINUATION without HEADERS', errors.protocol, frame(9, 4, 1, block(['a', 'b']))],
    ['5.1.1 a request on an even id', errors.protocol, get(2)],
    ['5.1.1 ids that go backwards', errors.protocol, Buffer.concat([get(5), get(3)])],
    ['6.1 DATA on stream 0', errors.protocol, frame(0, 0, 0, Buffer.from('a'))],
    ['6.1 more padding than DATA', errors.protocol, Buffer.concat([post(1), frame(0, 8, 1, Buffer.from([5, 1, 2]))])],
    ['6.1 a padded DATA frame without its length', errors.frameSize, Buffer.concat([post(1), frame(0, 8, 1)])],
    ['6.2 HEADERS on stream 0', errors.protocol, frame(1, 5, 0, block(['a', 'b']))],
    ['6.2 more padding than HEADERS', errors.protocol, frame(1, 0xd, 1, Buffer.from([9, 0x82]))],
    ['6.2 HEADERS within a header block', errors.protocol, Buffer.concat([frame(1, 1, 1, block(['a', 'b'])), request])],
    [
      '6.2 another frame within a header block',
      errors.protocol,
      Buffer.concat([frame(1, 1, 1), frame(6, 0, 0, Buffer.alloc(8))]),
    ],
    ['6.2 a HEADERS frame that ends within its priority', errors.frameSize, frame(1, 0x25, 1, Buffer.alloc(3))],
    ['6.3 PRIORITY on stream 0', errors.protocol, frame(2, 0, 0, Buffer.alloc(5))],
    ['6.3 a short PRIORITY', errors.frameSize, frame(2, 0, 1, Buffer.alloc(4))],
    ['6.4 RST_STREAM on stream 0', errors.protocol, frame(3, 0, 0, uint32(8))],
    ['6.4 a short RST_STREAM', errors.frameSize, Buffer.concat([post(1), frame(3, 0, 1, Buffer.alloc(3))])],
    ['6.5 SETTINGS on a stream', errors.protocol, frame(4, 0, 1)],
    ['6.5 an acknowledgement with a payload', errors.frameSize, frame(4, 1, 0, settingsPayload([1, 1]))],
    ['6.5 SETTINGS of a wrong length', errors.frameSize, frame(4, 0, 0, Buffer.alloc(5))],
    ['6.5.2 ENABLE_PUSH of 2', errors.protocol, settings([2, 2])],
    ['6.5.2 INITIAL_WINDOW_SIZE beyond 2^31-1', errors.flowControl, settings([4, 0x80000000])],
    ['6.5.2 MAX_FRAME_SIZE below 16384', errors.protocol, settings([5, 16_383])],
    ['6.5.2 MAX_FRAME_SIZE beyond 2^24-1', errors.protocol, settings([5, 0x1000000])],
    ['6.6 PUSH_PROMISE', errors.protocol, frame(5, 4, 1, uint32(2))],
    ['6.7 PING on a stream', errors.protocol, frame(6, 0, 1, Buffer.alloc(8))],
    ['6.7 a short PING', errors.frameSize, frame(6, 0, 0, Buffer.alloc(7))],
    ['6.8 GOAWAY on a stream', errors.protocol, frame(7, 0, 1, Buffer.alloc(8))],
    ['6.8 a short GOAWAY', errors.frameSize, frame(7, 0, 0, Buffer.alloc(7))],
    ['6.9 a WINDOW_UPDATE of 0 on the connection', errors.protocol, frame(8, 0, 0, uint32(0))],
    ['6.9 a short WINDOW_UPDATE', errors.frameSize, frame(8, 0, 0, Buffer.alloc(3))],
    ['6.9.1 a connection window beyond 2^31-1', errors.flowControl, frame(8, 0, 0, uint32(0x7fffffff))],
    [
      '6.9.2 a stream window beyond 2^31-1 by SETTINGS',
      errors.flowControl,
      Buffer.concat([post(1), frame(8, 0, 1, uint32(0x7fff0000)), settings([4, 0x7fffffff])]),
    ],
    ['6.10 CONTINUATION on another stream', errors.protocol, Buffer.concat([frame(1, 1, 1), frame(9, 4, 3)])],
  ]
  test.each(cases)('%s: error %i', async (_what, code, bytes) => {
    for (const cuts of [[], [1], [3, 10, 1]]) {
      const { connection, refusals, http2 } = serve()
      connection.push(bytes, ...cuts)
      await turn()
      expect(connection.goawayCode).toBe(code)
      expect(connection.ended).toBe(true)
      expect(refusals).toHaveLength(1)
      expect(http2.stopped).toBe(true)
    }
  })

  test('a preface that is not the preface', async () => {
    const connection = new FrameConnection('client')
    const refusals: string[] = []
    const options = { clock: new ManualClock(), idleTimeoutMs: 1, headTimeoutMs: 1, onStream() {}, onClosed() {} }
    new Http2ServerConnection(connection, { ...options, onRefused: (reason) => refusals.push(reason) }).start(
      Buffer.from('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n'),
    )
    await turn()
    expect(connection.goawayCode).toBe(errors.protocol)
    expect(refusals).toEqual(['the connection does not start with the preface of HTTP/2'])
  })

  test('a first frame that is not SETTINGS', async () => {
    const connection = new FrameConnection('client')
    const options = { clock: new ManualClock(), idleTimeoutMs: 1, headTimeoutMs: 1, onStream() {}, onClosed() {} }
    new Http2ServerConnection(connection, { ...options, onRefused() {} }).start(Buffer.concat([preface, get(1)]))
    await turn()
    expect(connection.goawayCode).toBe(errors.protocol)
  })

  test('HEADERS on a stream that has closed', async () => {
    const { connection, streams } = serve()
    connection.push(get(1))
    streams[0]?.sendHead({ status: 204, headers: new HeaderList() }, 0)
    streams[0]?.sendEnd()
    connection.push(get(1))
    await turn()
    expect(connection.goawayCode).toBe(errors.streamClosed)
  })

  test('more DATA than the window of the connection', async () => {
    const { connection } = serve((stream) => stream.pause())
    for (let id = 1; connection.goawayCode === undefined && id < 400; id += 2) {
      connection.push(post(id))
      for (let i = 0; i < 16; i++) connection.push(frame(0, 0, id, Buffer.alloc(16_384)))
      await turn()
    }
    // The connection gives its window back on receipt until 16 MiB are held, and then 4 MiB more.
    expect(connection.goawayCode).toBe(errors.flowControl)
  })
})

describe('what breaks one stream', () => {
  const fields = {
    method: [':method', 'GET'],
    scheme: [':scheme', 'http'],
    path: [':path', '/'],
    authority: [':authority', 'a'],
  } as const
  const { method, scheme, path, authority } = fields
  const cases: readonly (readonly [what: string, fields: (readonly [string, string])[]])[] = [
    ['upper case in a name', [method, scheme, path, authority, ['X-A', 'b']]],
    ['an unknown pseudo-header', [method, scheme, path, authority, [':a', 'b']]],
    ['a response pseudo-header', [method, scheme, path, authority, [':status', '200']]],
    ['a pseudo-header after a header', [method, scheme, path, ['a', 'b'], authority]],
    ['a pseudo-header twice', [method, scheme, path, path, authority]],
    ['no :method', [scheme, path, authority]],
    ['no :scheme', [method, path, authority]],
    ['no :path', [method, scheme, authority]],
    ['an empty :path', [method, scheme, [':path', ''], authority]],
    ['a :path without a slash', [method, scheme, [':path', 'a'], authority]],
    ['a :path with a space', [method, scheme, [':path', '/a b'], authority]],
    ['a :path with a fragment', [method, scheme, [':path', '/a#b'], authority]],
    ['"*" for another method than OPTIONS', [method, scheme, [':path', '*'], authority]],
    ['neither :authority nor Host', [method, scheme, path]],
    ['an :authority with userinfo', [method, scheme, path, [':authority', 'a@b']]],
    ['an empty :authority', [method, scheme, path, [':authority', '']]],
    ['Host and :authority that differ', [method, scheme, path, authority, ['host', 'b']]],
    ['two Hosts that differ', [method, scheme, path, ['host', 'a'], ['host', 'b']]],
    ['a strange scheme', [method, [':scheme', 'ftp'], path, authority]],
    ['a method that is none', [[':method', 'G T'], scheme, path, authority]],
    ['connection', [method, scheme, path, authority, ['connection', 'close']]],
    ['keep-alive', [method, scheme, path, authority, ['keep-alive', '1']]],
    ['proxy-connection', [method, scheme, path, authority, ['proxy-connection', 'close']]],
    ['transfer-encoding', [method, scheme, path, authority, ['transfer-encoding', 'chunked']]],
    ['upgrade', [method, scheme, path, authority, ['upgrade', 'h2c']]],
    ['te with more than trailers', [method, scheme, path, authority, ['te', 'trailers, gzip']]],
    ['a line end in a value', [method, scheme, path, authority, ['a', 'b\r\nc: d']]],
    ['NUL in a value', [method, scheme, path, authority, ['a', '\0']]],
    ['a line end in :path', [method, scheme, [':path', '/\r\n'], authority]],
    ['space around a value', [method, scheme, path, authority, ['a', ' b']]],
    ['content-length without a body', [method, scheme, path, authority, ['content-length', '1']]],
    ['a content-length that is none', [method, scheme, path, authority, ['content-length', '+1']]],
    ['two content-lengths', [method, scheme, path, authority, ['content-length', '0'], ['content-length', '1']]],
    ['CONNECT with :path', [[':method', 'CONNECT'], path, [':authority', 'a:1']]],
    [
      'CONNECT without a port',
      [
        [':method', 'CONNECT'],
        [':authority', 'a'],
      ],
    ],
    [':protocol without CONNECT', [method, scheme, path, authority, [':protocol', 'websocket']]],
  ]
  test.each(cases)('%s', async (_what, list) => {
    const { connection, streams, refusals } = serve()
    // The second time nothing that was remembered of the first may let it pass.
    connection.push(Buffer.concat([frame(1, 5, 1, block(...list)), frame(1, 5, 3, block(...list))]))
    connection.push(get(5))
    await turn()
    expect([connection.resetCode(1), connection.resetCode(3)]).toEqual([errors.protocol, errors.protocol])
    expect(refusals).toHaveLength(2)
    expect(connection.goawayCode).toBeUndefined()
    expect(streams.map((stream) => stream.request.path)).toEqual(['/'])
  })

  test.each([
    ['more DATA than content-length', errors.protocol, [frame(0, 0, 1, Buffer.from('abcd'))]],
    ['less DATA than content-length', errors.protocol, [frame(0, 1, 1, Buffer.from('ab'))]],
    ['trailers before the DATA of content-length', errors.protocol, [frame(1, 5, 1, block(['a', 'b']))]],
    ['trailers that do not end the stream', errors.protocol, [frame(1, 4, 1, block(['a', 'b']))]],
    [
      'a pseudo-header in trailers',
      errors.protocol,
      [frame(0, 0, 1, Buffer.from('abc')), frame(1, 5, 1, block(method))],
    ],
    ['DATA after the end', errors.streamClosed, [frame(0, 1, 1, Buffer.from('abc')), frame(0, 0, 1, Buffer.from('d'))]],
    [
      'HEADERS after the end',
      errors.streamClosed,
      [frame(0, 1, 1, Buffer.from('abc')), frame(1, 5, 1, block(['a', 'b']))],
    ],
    ['a WINDOW_UPDATE of 0', errors.protocol, [frame(8, 0, 1, uint32(0))]],
    ['a window beyond 2^31-1', errors.flowControl, [frame(8, 0, 1, uint32(0x7fffffff))]],
  ])('%s', async (_what, code, frames) => {
    const { connection, events } = serve()
    connection.push(post(1, ['content-length', '3']))
    for (const bytes of frames) connection.push(bytes)
    await turn()
    expect(connection.resetCode(1)).toBe(code)
    expect(connection.goawayCode).toBeUndefined()
    expect(events.at(-1)).toMatch(/^closed: /)
    expect(events.filter((event) => event.startsWith('closed'))).toHaveLength(1)
  })

  test('a malformed body is told as a parse error', () => {
    let error: Error | undefined
    const { connection } = serve((stream) => {
      stream.handler = { onData() {}, onEnd() {}, onDrain() {}, onClosed: (reason) => (error = reason) }
    })
    connection.push(post(1, ['content-length', '3']))
    connection.push(frame(0, 1, 1))
    expect(error).toBeInstanceOf(HttpParseError)
  })

  test('more DATA than the window of a stream that nobody reads', async () => {
    const { connection } = serve((stream) => stream.pause())
    connection.push(post(1))
    for (let i = 0; i < 17; i++) connection.push(frame(0, 0, 1, Buffer.alloc(16_384)))
    await turn()
    expect(connection.resetCode(1)).toBe(errors.flowControl)
    expect(connection.goawayCode).toBeUndefined()
  })

  test.each([
    ['header lines that are too large', '431', [['a', 'x'.repeat(65_536)]]],
    ['too many header lines', '431', Array.from({ length: 129 }, () => ['a', 'b'] as const)],
    ['a target that is too long', '414', undefined],
    ['another expectation than 100-continue', '417', [['expect', 'more']]],
    ['an extended CONNECT for another protocol', '501', undefined],
  ] as const)('%s are answered with %s', async (what, status, more) => {
    const { connection, streams, refusals } = serve()
    const long: (readonly [string, string])[] = [method, scheme, [':path', `/${'a'.repeat(20_000)}`], authority]
    const extended: (readonly [string, string])[] = [
      [':method', 'CONNECT'],
      [':protocol', 'a'],
      scheme,
      path,
      authority,
    ]
    const all =
      more === undefined ? (what.includes('CONNECT') ? extended : long) : [method, scheme, path, authority, ...more]
    const bytes = block(...all)
    connection.push(frame(1, 1, 1, bytes.subarray(0, 10_000)))
    for (let at = 10_000; at < bytes.length; at += 10_000)
      connection.push(frame(9, 0, 1, bytes.subarray(at, at + 10_000)))
    connection.push(frame(9, 4, 1))
    await turn()
    expect(connection.readHeaders(1)[0]?.[0]).toBe(`:status: ${status}`)
    expect(streams).toHaveLength(0)
    expect(refusals).toHaveLength(1)
    expect(connection.goawayCode).toBeUndefined()
  })
})

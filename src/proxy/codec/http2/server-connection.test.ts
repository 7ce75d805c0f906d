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
import { ManualClock } from '../../../../test/kit/manual-clock.ts'
import { HeaderList } from '../../../core/header-list.ts'
import type { ServerStream } from '../http-stream.ts'
import { HttpParseError } from '../http1/parse-error.ts'
import { Http2ServerConnection } from './server-connection.ts'

interface Served {
  readonly connection: FrameConnection
  readonly http2: Http2ServerConnection
  readonly clock: ManualClock
  readonly streams: ServerStream[]
  readonly events: string[]
  readonly refusals: string[]
}

function serve(onStream: (stream: ServerStream) => void = () => {}): Served {
  const connection = new FrameConnection('client')
  const clock = new ManualClock()
  const streams: ServerStream[] = []
  const events: string[] = []
  const refusals: string[] = []
  const http2 = new Http2ServerConnection(connection, {
    clock,
    idleTimeoutMs: 60_000,
    headTimeoutMs: 10_000,
    onStream(stream) {
      streams.push(stream)
      stream.handler = {
        onData: (bytes) => events.push(`data ${Buffer.from(bytes).toString('latin1')}`),
        onEnd: (trailers) => events.push(trailers === undefined ? 'end' : `end ${[...trailers].join(' ')}`),
        onDrain: () => events.push('drain'),
        onClosed: (error) => events.push(error === undefined ? 'closed' : `closed: ${error.message}`),
      }
      onStream(stream)
    },
    onRefused: (reason) => refusals.push(reason),
    onClosed: () => events.push('connection closed'),
  })
  http2.start(preface)
  connection.push(settings())
  return { connection, http2, clock, streams, events, refusals }
}

const errors = {
  protocol: 1,
  flowControl: 3,
  streamClosed: 5,
  frameSize: 6,
  refused: 7,
  compression: 9,
  calm: 11,
} as const

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

describe('what is taken', () => {
  test('a request in pieces of any size, with padding, priority and CONTINUATION', async () => {
    for (const cuts of [[], [1], [7, 2]]) {
      const { connection, streams, events } = serve()
      const bytes = block(
        [':method', 'POST'],
        [':scheme', 'https'],
        [':path', '/a?b'],
        ['a', '1'],
        ['cookie', 'x=1'],
        ['host', 'A:80'],
        ['cookie', 'y=2'],
        ['te', 'trailers'],
      )
      const padded = Buffer.concat([
        Buffer.from([3]),
        uint32(0x80000005),
        Buffer.from([9]),
        bytes.subarray(0, 5),
        Buffer.alloc(3),
      ])
      connection.push(frame(1, 0x28, 1, padded), ...cuts)
      connection.push(frame(9, 0, 1, bytes.subarray(5, 20)), ...cuts)
      connection.push(frame(9, 4, 1, bytes.subarray(20)), ...cuts)
      connection.push(frame(0, 8, 1, Buffer.concat([Buffer.from([2]), Buffer.from('body'), Buffer.alloc(2)])), ...cuts)
      connection.push(frame(250, 0xff, 1, Buffer.from('unknown')), ...cuts)
      connection.push(frame(1, 5, 1, block(['x-trailer', 'z'], ['content-type', 'forbidden'])), ...cuts)
      await turn()
      expect(streams[0]?.request).toMatchObject({ method: 'POST', scheme: 'https', authority: 'a:80', path: '/a?b' })
      expect([...(streams[0]?.request.headers ?? [])]).toEqual([
        ['a', '1'],
        ['te', 'trailers'],
        ['cookie', 'x=1; y=2'],
      ])
      expect(events).toEqual(['data body', 'end x-trailer,z'])
      expect(connection.goawayCode).toBeUndefined()
    }
  })

  test('a request and its response leave in one write, the end with the last frame', async () => {
    const { connection, streams, events } = serve()
    await turn()
    connection.writes = 0
    connection.frames.length = 0
    connection.push(Buffer.concat([get(1), get(3)]))
    for (const stream of streams) {
      stream.sendHead({ status: 200, headers: HeaderList.of(['X-A', 'b']) }, 2)
      stream.sendData(Buffer.from('ok'))
      stream.sendEnd()
    }
    await turn()
    expect(connection.writes).toBe(1)
    expect(connection.frames.map(({ type, flags, streamId }) => [type, flags, streamId])).toEqual([
      [1, 4, 1],
      [0, 1, 1],
      [1, 4, 3],
      [0, 1, 3],
    ])
    expect(connection.readHeaders(1)).toEqual([[':status: 200', 'x-a: b', 'content-length: 2']])
    expect(events).toEqual(['end', 'end', 'closed', 'closed'])
  })

  test('a response without a body ends with its head, one with trailers only after it', async () => {
    const { connection, streams } = serve()
    connection.push(Buffer.concat([get(1), get(3)]))
    streams[0]?.sendHead({ status: 204, headers: new HeaderList() }, 0)
    streams[0]?.sendEnd()
    streams[1]?.sendHead({ status: 200, headers: new HeaderList() }, 'unknown')
    streams[1]?.sendEnd(HeaderList.of(['Grpc-Status', '0']))
    await turn()
    expect(connection.of(1, 1).map(({ flags }) => flags)).toEqual([5])
    expect(connection.of(1, 3).map(({ flags }) => flags)).toEqual([4, 5])
    expect(connection.of(0)).toEqual([])
  })

  test('a response before the end of the request ends the stream with NO_ERROR', async () => {
    const { connection, streams, events } = serve()
    connection.push(post(1))
    streams[0]?.sendHead({ status: 413, headers: new HeaderList() }, 0)
    streams[0]?.sendEnd()
    connection.push(frame(0, 0, 1, Buffer.from('late')))
    await turn()
    expect(connection.resetCode(1)).toBe(0)
    expect(connection.of(3)).toHaveLength(1)
    expect(events).toEqual(['closed'])
  })

  test.each([
    ['longer', (stream: ServerStream) => stream.sendData(Buffer.from('abcd'))],
    ['shorter', (stream: ServerStream) => stream.sendEnd()],
  ])('a response that is %s than its content-length is broken off', async (_what, act) => {
    const { connection, streams } = serve()
    connection.push(get(1))
    streams[0]?.sendHead({ status: 200, headers: new HeaderList() }, 3)
    act(streams[0] as ServerStream)
    await turn()
    expect(connection.resetCode(1)).toBe(2)
    expect(connection.of(0)).toEqual([])
  })
})

describe('flow control', () => {
  test('DATA keeps to the windows of stream and connection, streams take turns', async () => {
    const { connection, streams, events } = serve()
    connection.push(Buffer.concat([settings([4, 100_000]), get(1), get(3)]))
    for (const stream of streams) {
      stream.sendHead({ status: 200, headers: new HeaderList() }, 'unknown')
      expect(stream.sendData(Buffer.alloc(100_000, 'x'))).toBe(stream.request !== streams[0]?.request ? false : true)
    }
    await turn()
    expect(connection.body(1).length + connection.body(3).length).toBe(65_535)
    connection.push(frame(8, 0, 0, uint32(65_536)))
    await turn()
    const [first, second] = [connection.body(1).length, connection.body(3).length]
    expect(first + second).toBe(131_071)
    expect(second).toBeGreaterThan(30_000)
    connection.push(frame(8, 0, 0, uint32(1_000_000)))
    await turn()
    expect([connection.body(1).length, connection.body(3).length]).toEqual([100_000, 100_000])
    expect(events).toContain('drain')
  })

  test('a window that SETTINGS take back stops a stream until it is above zero again', async () => {
    const { connection, streams } = serve()
    connection.push(Buffer.concat([settings([4, 10]), get(1)]))
    streams[0]?.sendHead({ status: 200, headers: new HeaderList() }, 'unknown')
    streams[0]?.sendData(Buffer.from('0123456789abcdef'))
    await turn()
    connection.push(settings([4, 5]))
    connection.push(frame(8, 0, 1, uint32(5)))
    await turn()
    expect(connection.body(1).toString()).toBe('0123456789')
    connection.push(frame(8, 0, 1, uint32(3)))
    await turn()
    expect(connection.body(1).toString()).toBe('0123456789abc')
  })

  test('a paused stream holds what comes, gives no window back, and stops no other', async () => {
    const { connection, streams, events } = serve((stream) => stream.pause())
    connection.push(Buffer.concat([post(1), post(3)]))
    streams[1]?.resume()
    for (let i = 0; i < 16; i++) connection.push(frame(0, i === 15 ? 1 : 0, 1, Buffer.alloc(16_384, 'x')))
    for (let i = 0; i < 16; i++) connection.push(frame(0, 0, 3, Buffer.alloc(16_384, 'y')))
    await turn()
    expect(events.some((event) => event.includes('x'))).toBe(false)
    expect(connection.of(8, 1)).toHaveLength(0)
    expect(connection.of(8, 3)).not.toHaveLength(0)
    streams[0]?.resume()
    expect(events.filter((event) => event.includes('x'))).toHaveLength(16)
    expect(events.at(-1)).toBe('end')
  })

  test('a peer that does not read makes streams wait, and is heard again when it does', async () => {
    const { connection, streams, events } = serve()
    connection.push(Buffer.concat([settings([4, 1_000_000]), frame(8, 0, 0, uint32(1_000_000)), get(1)]))
    connection.full = true
    const [stream] = streams
    stream?.sendHead({ status: 200, headers: new HeaderList() }, 'unknown')
    stream?.sendData(Buffer.alloc(70_000))
    let sent = 70_000
    while (stream?.sendData(Buffer.alloc(10_000)) === true) sent += 10_000
    sent += 10_000
    expect(sent).toBeLessThan(170_000)
    connection.drain()
    await turn()
    expect(connection.body(1)).toHaveLength(sent)
    expect(events).toContain('drain')
  })

  test('a stream that gets no window for minutes is given up', async () => {
    const { connection, streams, clock, refusals, events } = serve()
    connection.push(Buffer.concat([settings([4, 0]), get(1)]))
    streams[0]?.sendHead({ status: 200, headers: new HeaderList() }, 'unknown')
    streams[0]?.sendData(Buffer.from('never'))
    clock.advance(299_000)
    expect(refusals).toEqual([])
    clock.advance(302_000)
    await turn()
    expect(connection.resetCode(1)).toBe(8)
    expect(refusals).toEqual(['a stream got no window for too long'])
    expect(events.at(-1)).toMatch(/^closed: the peer gave the stream no window/)
  })
})

describe('floods', () => {
  test.each([
    ['streams opened and reset', (i: number) => Buffer.concat([get(i * 2 + 1), frame(3, 0, i * 2 + 1, uint32(8))])],
    ['malformed requests', (i: number) => frame(1, 5, i * 2 + 1, block(['A', 'b']))],
    [
      'requests that make the server reset',
      (i: number) => Buffer.concat([post(i * 2 + 1), frame(8, 0, i * 2 + 1, uint32(0))]),
    ],
    ['PING', () => frame(6, 0, 0, Buffer.alloc(8))],
    ['SETTINGS', () => settings()],
    ['empty DATA', (i: number) => (i === 0 ? post(1) : frame(0, 0, 1))],
    ['WINDOW_UPDATE', () => frame(8, 0, 0, uint32(1))],
    ['PRIORITY', () => frame(2, 0, 1, Buffer.alloc(5))],
    ['unknown frames', () => frame(99, 0, 0)],
    ['empty CONTINUATION', (i: number) => (i === 0 ? frame(1, 1, 1) : frame(9, 0, 1))],
    ['CONTINUATION without end', (i: number) => (i === 0 ? frame(1, 1, 1) : frame(9, 0, 1, Buffer.alloc(16_384)))],
  ])('%s end the connection', (_what, next) => {
    const { connection, refusals, http2 } = serve()
    let i = 0
    for (; i < 20_000 && !http2.stopped; i++) connection.push(next(i))
    expect(i).toBeLessThan(20_000)
    expect(connection.goawayCode).toBe(errors.calm)
    expect(refusals.at(-1)).toMatch(/too many|goes on and on/)
  })

  test('what a busy caller does is no flood', () => {
    const { connection, http2, streams } = serve()
    for (let i = 0; i < 5_000; i++) {
      const id = i * 2 + 1
      connection.push(Buffer.concat([get(id), frame(6, 0, 0, Buffer.alloc(8)), frame(8, 0, 0, uint32(1))]))
      if (i % 3 === 0) connection.push(frame(3, 0, id, uint32(8)))
      streams[i]?.sendHead({ status: 204, headers: new HeaderList() }, 0)
      streams[i]?.sendEnd()
    }
    expect(http2.stopped).toBe(false)
  })

  test('answers that the peer does not read end the connection before they fill memory', async () => {
    const { connection, refusals } = serve()
    await turn()
    connection.full = true
    for (let id = 1; id < 100_000 && !connection.closed; id += 2) {
      connection.push(get(id, ['expect', 'a']))
      await turn()
    }
    expect(connection.closed).toBe(true)
    expect(refusals.length).toBeGreaterThan(1)
  }, 20_000)

  test('a table of large entries referred to again and again is bounded by what it would be as text', async () => {
    const { connection, streams } = serve()
    const entry = Buffer.concat([Buffer.from([0x40, 1, 97, 0x7f, 0x81, 0x1e]), Buffer.alloc(127 + 1 + 30 * 128, 'x')])
    connection.push(frame(1, 5, 1, Buffer.concat([entry, Buffer.alloc(10_000, 0xbe)])))
    await turn()
    expect(streams).toHaveLength(0)
    expect(connection.readHeaders(1)[0]?.[0]).toBe(':status: 431')
  })

  test('more requests at once than were allowed are refused unprocessed', async () => {
    const { connection, streams, refusals } = serve()
    for (let i = 0; i <= 1000; i++) connection.push(get(i * 2 + 1))
    await turn()
    expect(streams).toHaveLength(1000)
    expect(connection.resetCode(2001)).toBe(errors.refused)
    expect(refusals).toEqual(['more requests at once than were allowed'])
  })
})

describe('time', () => {
  test('an idle connection ends with GOAWAY, whatever it pings', async () => {
    const { connection, clock, events } = serve()
    clock.advance(30_000)
    connection.push(frame(6, 0, 0, Buffer.alloc(8)))
    clock.advance(31_000)
    await turn()
    expect(connection.goawayCode).toBe(0)
    expect(connection.ended).toBe(true)
    clock.advance(2_000)
    await turn()
    expect(events).toEqual(['connection closed'])
  })

  test('a preface or a header block that is never finished ends the connection', async () => {
    const served = serve()
    served.connection.push(frame(1, 1, 1, block(['a', 'b'])))
    served.clock.advance(10_000)
    expect(served.connection.goawayCode).toBe(errors.calm)
    expect(served.refusals).toEqual(['the request head took too long'])

    const connection = new FrameConnection('client')
    const clock = new ManualClock()
    const options = { clock, idleTimeoutMs: 60_000, headTimeoutMs: 5_000, onStream() {}, onRefused() {}, onClosed() {} }
    new Http2ServerConnection(connection, options).start(preface.subarray(0, 5))
    clock.advance(5_000)
    expect(connection.goawayCode).toBe(errors.calm)
  })

  test('a connection with an open request is not idle', () => {
    const { connection, clock } = serve()
    connection.push(get(1))
    clock.advance(600_000)
    expect(connection.goawayCode).toBeUndefined()
  })

  test('keep-alive pings find a peer that is gone', async () => {
    const connection = new FrameConnection('client')
    const clock = new ManualClock()
    const options = {
      clock,
      idleTimeoutMs: 600_000,
      headTimeoutMs: 5_000,
      onStream() {},
      onRefused() {},
      onClosed() {},
    }
    new Http2ServerConnection(connection, { ...options, keepAlive: { intervalMs: 1000, timeoutMs: 500 } }).start(
      preface,
    )
    connection.push(settings())
    clock.advance(1000)
    clock.advance(1000)
    await turn()
    const [ping] = connection.of(6)
    connection.push(frame(6, 1, 0, ping?.payload))
    clock.advance(1400)
    expect(connection.closed).toBe(false)
    clock.advance(600)
    expect(connection.error?.message).toBe('the peer does not answer')
  })
})

describe('drain', () => {
  test('announces, takes what was on its way, then tells the last id and ends after the open requests', async () => {
    const { connection, http2, streams } = serve()
    connection.push(get(1))
    http2.drain(5_000)
    await turn()
    expect(connection.of(7).map(({ payload }) => payload.readUInt32BE(0))).toEqual([0x7fffffff])
    connection.push(get(3))
    expect(streams).toHaveLength(2)
    connection.push(frame(6, 1, 0, connection.of(6)[0]?.payload))
    connection.push(get(5))
    await turn()
    expect(connection.of(7).map(({ payload }) => payload.readUInt32BE(0))).toEqual([0x7fffffff, 3])
    expect(connection.resetCode(5)).toBe(errors.refused)
    for (const stream of streams) {
      stream.sendHead({ status: 204, headers: new HeaderList() }, 0)
      stream.sendEnd()
    }
    expect(connection.ended).toBe(true)
  })

  test('does not wait for a peer that answers no PING', async () => {
    const { connection, http2, clock } = serve()
    http2.drain(1_000)
    clock.advance(1_000)
    await turn()
    expect(connection.ended).toBe(true)
  })
})

describe('tunnels', () => {
  const websocket = frame(
    1,
    4,
    1,
    block(
      [':method', 'CONNECT'],
      [':protocol', 'websocket'],
      [':scheme', 'http'],
      [':path', '/chat'],
      [':authority', 'a'],
    ),
  )

  test('a WebSocket by extended CONNECT is a GET that offers to change the protocol', async () => {
    const { connection, streams, events } = serve()
    connection.push(websocket)
    connection.push(frame(0, 0, 1, Buffer.from('early')))
    const [stream] = streams
    expect(stream?.request.method).toBe('GET')
    expect(stream?.upgrade).toBe('websocket')
    expect(events).toEqual(['end'])
    stream?.sendHead({ status: 101, headers: new HeaderList() }, 0)
    stream?.sendData(Buffer.from('hello'))
    connection.push(frame(0, 1, 1, Buffer.from('late')))
    expect(events).toEqual(['end', 'data early', 'data late', 'end'])
    stream?.sendEnd()
    await turn()
    expect(connection.readHeaders(1)).toEqual([[':status: 200']])
    expect(connection.body(1).toString()).toBe('hello')
    expect(events.at(-1)).toBe('closed')
    expect(connection.of(3)).toEqual([])
  })

  test('a WebSocket that is declined is an ordinary response', async () => {
    const { connection, streams, events } = serve()
    connection.push(websocket)
    streams[0]?.sendHead({ status: 403, headers: new HeaderList() }, 0)
    streams[0]?.sendEnd()
    await turn()
    expect(connection.readHeaders(1)).toEqual([[':status: 403']])
    expect(events).toEqual(['end', 'closed'])
  })

  test('CONNECT hands the stream over as a connection', async () => {
    const { connection, streams } = serve()
    connection.push(frame(1, 4, 1, block([':method', 'CONNECT'], [':authority', 'db:5432'])))
    connection.push(frame(0, 0, 1, Buffer.from('early')))
    const [stream] = streams
    expect(stream?.request).toMatchObject({ method: 'CONNECT', authority: 'db:5432' })
    const tunnel = (stream as ServerStream).takeOver({ status: 200, headers: new HeaderList() })
    const heard: string[] = []
    tunnel.connection.handler = {
      onData: (bytes) => heard.push(Buffer.from(bytes).toString()),
      onEnd: () => heard.push('end'),
      onClose: (error) => heard.push(`close ${error?.message ?? ''}`),
      onDrain: () => heard.push('drain'),
    }
    expect(heard).toEqual([])
    await turn()
    expect(heard).toEqual(['early'])
    tunnel.connection.pause()
    connection.push(frame(0, 1, 1, Buffer.from('late')))
    expect(heard).toEqual(['early'])
    tunnel.connection.resume()
    await turn()
    expect(heard).toEqual(['early', 'late', 'end'])
    tunnel.connection.write(Buffer.from('answer'))
    tunnel.connection.end()
    await turn()
    expect(connection.body(1).toString()).toBe('answer')
    expect(heard.at(-1)).toBe('close ')
    expect(tunnel.connection.closed).toBe(true)
  })

  test('a tunnel whose caller resets is closed with an error', async () => {
    const { connection, streams } = serve()
    connection.push(frame(1, 4, 1, block([':method', 'CONNECT'], [':authority', 'db:5432'])))
    const tunnel = (streams[0] as ServerStream).takeOver({ status: 200, headers: new HeaderList() })
    let closed: Error | undefined
    tunnel.connection.handler = { onData() {}, onEnd() {}, onDrain() {}, onClose: (error) => (closed = error) }
    connection.push(frame(3, 0, 1, uint32(8)))
    await turn()
    expect(closed?.message).toMatch(/reset the stream/)
  })
})

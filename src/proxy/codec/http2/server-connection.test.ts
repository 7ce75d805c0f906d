import { describe, expect, test } from 'vitest'

import { block, frame, get, post, settings, turn, uint32 } from '../../../../test/kit/http2-frames.ts'
import { errors, serve } from '../../../../test/kit/http2-served.ts'
import { HeaderList } from '../../../core/header-list.ts'
import type { ServerStream } from '../http-stream.ts'

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
      expect(stream.sendData(Buffer.alloc(100_000, 'x'))).toBe(stream === streams[0])
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

test('a connection does not outlive the certificates that it was made with', async () => {
  const { connection, http2, clock } = serve()
  connection.tls = { peerSpiffeId: undefined, notAfterMs: clock.nowMs() + 1000, alpn: 'h2', sni: undefined }
  connection.push(get(1))
  clock.advance(1000)
  await turn()
  expect(connection.of(7)).toEqual([])
  connection.push(get(3))
  clock.advance(1)
  await turn()
  expect(connection.of(7).length).toBeGreaterThan(0)
  expect(http2.stopped).toBe(false)
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

  test('a WebSocket without a key gets one for servers of HTTP/1.1, and is spared the answer; one with a key keeps both', async () => {
    for (const key of [undefined, 'dGhlIHNhbXBsZSBub25jZQ==']) {
      const { connection, streams } = serve()
      const fields = [
        [':method', 'CONNECT'],
        [':protocol', 'websocket'],
        [':scheme', 'http'],
        [':path', '/chat'],
        [':authority', 'a'],
      ] as const
      connection.push(
        frame(1, 4, 1, block(...fields, ...(key === undefined ? [] : [['sec-websocket-key', key] as const]))),
      )
      const sent = streams[0]?.request.headers.get('sec-websocket-key')
      if (key === undefined) expect(Buffer.from(sent ?? '', 'base64')).toHaveLength(16)
      else expect(sent).toBe(key)
      streams[0]?.sendHead({ status: 101, headers: HeaderList.of(['Sec-WebSocket-Accept', 'x']) }, 0)
      await turn()
      expect(connection.readHeaders(1)).toEqual([
        key === undefined ? [':status: 200'] : [':status: 200', 'sec-websocket-accept: x'],
      ])
    }
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

import { describe, expect, test } from 'vitest'

import {
  block,
  frame,
  FrameConnection,
  get,
  post,
  preface,
  settings,
  turn,
  uint32,
} from '../../../../test/kit/http2-frames.ts'
import { errors, serve } from '../../../../test/kit/http2-served.ts'
import { ManualClock } from '../../../../test/kit/manual-clock.ts'
import { HeaderList } from '../../../core/header-list.ts'
import type { ServerStream } from '../http-stream.ts'
import { Http2ServerConnection } from './server-connection.ts'

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

  test('callers that give up waiting are no flood', () => {
    const { connection, http2, clock, streams } = serve()
    for (let second = 0; second < 10; second++) {
      for (let i = 0; i < 500; i++) connection.push(get((second * 500 + i) * 2 + 1))
      clock.advance(1000)
      for (let i = 0; i < 500; i++) connection.push(frame(3, 0, (second * 500 + i) * 2 + 1, uint32(8)))
    }
    expect(streams).toHaveLength(5000)
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

test('a defect behind one stream resets that stream and no other', async () => {
  const { connection, streams, events, refusals } = serve((stream) => {
    if (stream.request.headers.has('x-defect')) throw new Error('no such luck')
  })
  connection.push(Buffer.concat([get(1), get(3, ['x-defect', '1']), post(5), get(7)]))
  const { handler } = streams[2] as ServerStream
  ;(streams[2] as ServerStream).handler = {
    ...handler,
    onData() {
      throw new Error('nor here')
    },
  }
  connection.push(frame(0, 0, 5, Buffer.from('body')))
  await turn()
  expect(connection.goawayCode).toBeUndefined()
  expect(refusals).toEqual(['a defect of the proxy: no such luck', 'a defect of the proxy: nor here'])
  expect(events.filter((event) => event.includes('defect'))).toHaveLength(2)
  for (const stream of streams) stream.sendHead({ status: 204, headers: new HeaderList() }, 0)
  await turn()
  const of = (type: number): number[] =>
    connection.frames.filter((one) => one.type === type).map(({ streamId }) => streamId)
  expect(of(3)).toEqual([3, 5])
  expect(of(1)).toEqual([1, 7])
})

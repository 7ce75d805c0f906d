import { describe, expect, test } from 'vitest'

import { block, frame, FrameConnection, settings, turn, uint32 } from '../../../../test/kit/http2-frames.ts'
import { ManualClock } from '../../../../test/kit/manual-clock.ts'
import { HeaderList } from '../../../core/header-list.ts'
import type { ClientStream, OutgoingRequest } from '../http-stream.ts'
import { Http2ClientConnection } from './client-connection.ts'

interface Called {
  readonly connection: FrameConnection
  readonly client: Http2ClientConnection
  readonly clock: ManualClock
  readonly events: string[]
  readonly ask: (request?: Partial<OutgoingRequest> & { readonly method?: string }) => ClientStream
}

function call(...pairs: (readonly [number, number])[]): Called {
  const connection = new FrameConnection('server')
  const clock = new ManualClock()
  const events: string[] = []
  const client = new Http2ClientConnection(connection, {
    clock,
    onIdle() {},
    onCapacity: () => events.push(`capacity ${client.capacity}`),
    onClosed: () => events.push('connection closed'),
  })
  if (pairs.length > 0) connection.push(settings(...pairs))
  const ask: Called['ask'] = ({ method = 'GET', length = 0, upgrade } = {}) =>
    client.send(
      { head: { method, scheme: 'http', authority: 'app', path: '/', headers: new HeaderList() }, length, upgrade },
      {
        onInformational: ({ status }) => events.push(`informational ${status}`),
        onHead: ({ status }, bodyLength) => events.push(`head ${status} ${bodyLength}`),
        onData: (bytes) => events.push(`data ${Buffer.from(bytes).toString()}`),
        onEnd: (trailers) => events.push(trailers === undefined ? 'end' : `end ${[...trailers].join(' ')}`),
        onDrain: () => events.push('drain'),
        onFailed: ({ kind, responseBegun }) => events.push(`failed ${kind}${responseBegun ? ' begun' : ''}`),
      },
    )
  return { connection, client, clock, events, ask }
}

const ordinary = [3, 100] as const
const response = (id: number, status: string, flags: number, ...more: (readonly [string, string])[]): Buffer =>
  frame(1, flags, id, block([':status', status], ...more))

describe('requests', () => {
  test('many leave in one write, with the preface of a new connection', async () => {
    const { connection, ask } = call()
    for (let i = 0; i < 10; i++) ask()
    await turn()
    expect(connection.writes).toBe(1)
    expect(connection.of(1).map(({ streamId, flags }) => [streamId, flags])).toEqual(
      Array.from({ length: 10 }, (_, i) => [i * 2 + 1, 5]),
    )
    expect(connection.readHeaders(1)).toEqual([[':method: GET', ':scheme: http', ':path: /', ':authority: app']])
  })

  test('a body ends with its last frame; one that is not as long as declared is broken off', async () => {
    const { connection, ask, events } = call(ordinary)
    const whole = ask({ method: 'POST', length: 4 })
    whole.sendData(Buffer.from('body'))
    whole.sendEnd()
    const short = ask({ method: 'POST', length: 4 })
    short.sendData(Buffer.from('bod'))
    short.sendEnd()
    await turn()
    expect(connection.of(0, 1).map(({ flags, payload }) => [flags, payload.toString()])).toEqual([[1, 'body']])
    expect(connection.resetCode(3)).toBe(2)
    expect(events).toEqual(['failed protocol-error'])
  })

  test('keep to what the server takes at once, and say when there is room', () => {
    const { connection, client, ask, events } = call([3, 2])
    ask()
    ask()
    expect(client.capacity).toBe(0)
    connection.push(response(1, '204', 5))
    expect(client.capacity).toBe(1)
    connection.push(settings([3, 10]))
    expect(client.capacity).toBe(9)
    expect(events).toEqual(
      ['head 204 0', 'capacity 1', 'end'].toSorted((a, b) => events.indexOf(a) - events.indexOf(b)),
    )
  })

  test('an aborted one is cancelled and hears nothing more', async () => {
    const { connection, ask, events } = call(ordinary)
    ask().abort()
    connection.push(response(1, '200', 4))
    connection.push(frame(0, 1, 1, Buffer.from('late')))
    await turn()
    expect(connection.resetCode(1)).toBe(8)
    expect(connection.of(3)).toHaveLength(1)
    expect(events).toEqual([])
    expect(connection.goawayCode).toBeUndefined()
  })
})

describe('responses', () => {
  test.each([
    [
      'with a body and trailers',
      [
        response(1, '200', 4, ['content-length', '2']),
        frame(0, 0, 1, Buffer.from('ok')),
        frame(1, 5, 1, block(['a', 'b'])),
      ],
      ['head 200 2', 'data ok', 'end a,b'],
    ],
    [
      'after interim ones',
      [response(1, '100', 4), response(1, '103', 4), response(1, '200', 5)],
      ['informational 100', 'informational 103', 'head 200 0', 'end'],
    ],
    ['with trailers only', [response(1, '200', 5, ['grpc-status', '5'])], ['head 200 0', 'end']],
    [
      'of unknown length',
      [response(1, '200', 4), frame(0, 0, 1, Buffer.from('a')), frame(0, 1, 1)],
      ['head 200 unknown', 'data a', 'end'],
    ],
    ['then NO_ERROR', [response(1, '200', 5), frame(3, 0, 1, uint32(0))], ['head 200 0', 'end']],
    [
      'cut short by a reset',
      [response(1, '200', 4), frame(3, 0, 1, uint32(2))],
      ['head 200 unknown', 'failed reset begun'],
    ],
    ['refused', [frame(3, 0, 1, uint32(7))], ['failed refused']],
    ['without a status', [frame(1, 5, 1, block(['a', 'b']))], ['failed protocol-error begun']],
    ['with status 101', [response(1, '101', 4)], ['failed protocol-error begun']],
    ['that end with an interim head', [response(1, '103', 5)], ['failed protocol-error begun']],
    [
      'with a request pseudo-header',
      [frame(1, 5, 1, block([':status', '200'], [':path', '/']))],
      ['failed protocol-error begun'],
    ],
    ['with connection', [response(1, '200', 5, ['connection', 'close'])], ['failed protocol-error begun']],
    [
      'shorter than declared',
      [response(1, '200', 4, ['content-length', '2']), frame(0, 1, 1, Buffer.from('a'))],
      ['head 200 2', 'data a', 'failed protocol-error begun'],
    ],
    [
      'without the body they declare',
      [response(1, '200', 5, ['content-length', '2'])],
      ['failed protocol-error begun'],
    ],
    ['DATA before the head', [frame(0, 1, 1, Buffer.from('a'))], ['failed protocol-error']],
  ])('%s', async (_what, frames, expected) => {
    for (const cuts of [[], [1], [4, 11]]) {
      const { connection, ask, events } = call(ordinary)
      ask()
      connection.push(Buffer.concat(frames), ...cuts)
      await turn()
      expect(events).toEqual(expected)
      expect(connection.goawayCode).toBeUndefined()
    }
  })

  test('to HEAD declare a length and have no body', () => {
    const { connection, ask, events } = call(ordinary)
    ask({ method: 'HEAD' })
    connection.push(response(1, '200', 5, ['content-length', '1000']))
    expect(events).toEqual(['head 200 0', 'end'])
  })

  test('a whole one ends a request that is still being sent', async () => {
    const { connection, client, ask, events } = call([3, 1])
    const stream = ask({ method: 'POST', length: 'unknown' })
    stream.sendData(Buffer.from('a'))
    connection.push(response(1, '413', 5))
    stream.sendData(Buffer.from('b'))
    await turn()
    expect(events).toEqual(['head 413 0', 'end', 'capacity 1'])
    expect(connection.resetCode(1)).toBe(8)
    expect(connection.body(1).toString()).toBe('a')
    expect(client.capacity).toBe(1)
  })

  test('a paused one goes on after the stream has closed', () => {
    const { connection, ask, events } = call(ordinary)
    const stream = ask()
    stream.pause()
    connection.push(response(1, '200', 4))
    connection.push(frame(0, 1, 1, Buffer.from('held')))
    connection.push(frame(3, 0, 1, uint32(0)))
    expect(events).toEqual(['head 200 unknown'])
    stream.resume()
    expect(events).toEqual(['head 200 unknown', 'data held', 'end'])
  })

  test('nobody asked for end the connection', async () => {
    const { connection } = call(ordinary)
    connection.push(response(1, '200', 5))
    await turn()
    expect(connection.goawayCode).toBe(1)
  })
})

describe('the end of the connection', () => {
  test('GOAWAY refuses what the server has not looked at, and takes no more', async () => {
    const { connection, client, ask, events } = call(ordinary)
    ask()
    ask()
    connection.push(frame(7, 0, 0, uint32(1, 0)))
    expect(events).toEqual(['failed refused', 'capacity 0'])
    expect(connection.ended).toBe(false)
    connection.push(response(1, '204', 5))
    await turn()
    expect(events).toEqual(['failed refused', 'capacity 0', 'head 204 0', 'end'])
    expect(client.closed).toBe(true)
    expect(connection.ended).toBe(true)
  })

  test('a request that comes after it is refused, not lost', async () => {
    const { connection, ask, events } = call(ordinary)
    connection.push(frame(7, 0, 0, uint32(0, 0)))
    ask()
    await turn()
    expect(events).toEqual(['capacity 0', 'failed refused'])
  })

  test('a lost connection fails every request', async () => {
    const { connection, client, ask, events } = call(ordinary)
    ask()
    ask({ upgrade: 'websocket' })
    connection.destroy(new Error('gone'))
    await turn()
    expect(events.toSorted()).toEqual(['connection closed', 'failed protocol-error', 'failed reset'])
    expect(client.capacity).toBe(0)
  })

  test('PUSH_PROMISE and a server that allows itself to push end it', async () => {
    for (const bytes of [frame(5, 4, 1, Buffer.concat([uint32(2), block([':path', '/'])])), settings([2, 1])]) {
      const { connection, ask, events } = call(ordinary)
      ask()
      connection.push(bytes)
      await turn()
      expect(connection.goawayCode).toBe(1)
      expect(events).toEqual(['failed protocol-error'])
    }
  })
})

describe('upgrades', () => {
  test('wait for SETTINGS, go as extended CONNECT, and 200 accepts', async () => {
    const { connection, ask, events } = call()
    const stream = ask({ upgrade: 'websocket' })
    await turn()
    expect(connection.of(1)).toEqual([])
    connection.push(settings([8, 1]))
    await turn()
    expect(connection.readHeaders(1)).toEqual([
      [':method: CONNECT', ':protocol: websocket', ':scheme: http', ':path: /', ':authority: app'],
    ])
    connection.push(response(1, '200', 4))
    stream.sendData(Buffer.from('out'))
    connection.push(frame(0, 1, 1, Buffer.from('in')))
    stream.sendEnd()
    await turn()
    expect(events).toEqual(['head 101 unknown', 'data in', 'end'])
    expect(connection.of(0, 1).at(-1)?.flags).toBe(1)
    expect(connection.body(1).toString()).toBe('out')
  })

  test('whose server has no answer to the key of a client of HTTP/1.1 get it here', () => {
    const { connection, client } = call([8, 1])
    const headers = HeaderList.of(['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='])
    let accept: string | undefined
    client.send(
      { head: { method: 'GET', scheme: 'http', authority: 'a', path: '/', headers }, length: 0, upgrade: 'websocket' },
      {
        onInformational() {},
        onHead: (head) => (accept = head.headers.get('sec-websocket-accept')),
        onData() {},
        onEnd() {},
        onDrain() {},
        onFailed() {},
      },
    )
    connection.push(response(1, '200', 4))
    expect(accept).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
  })

  test('that are declined are ordinary responses', async () => {
    const { connection, ask, events } = call([8, 1])
    ask({ upgrade: 'websocket' })
    await turn()
    connection.push(response(1, '403', 5))
    await turn()
    expect(events).toEqual(['head 403 0', 'end'])
    expect(connection.of(0, 1).map(({ flags }) => flags)).toEqual([1])
  })
})

describe('pings', () => {
  test('find a peer that is gone, while a request waits', async () => {
    const connection = new FrameConnection('server')
    const clock = new ManualClock()
    const events: string[] = []
    const limit = { streams: 100, calm: 1 }
    const client = new Http2ClientConnection(connection, {
      clock,
      limit,
      keepAlive: { intervalMs: 30_000, timeoutMs: 20_000 },
      onIdle() {},
      onCapacity() {},
      onClosed: () => events.push('closed'),
    })
    connection.push(settings(ordinary))
    const request: OutgoingRequest = {
      head: { method: 'GET', scheme: 'http', authority: 'app', path: '/', headers: new HeaderList() },
      length: 0,
      upgrade: undefined,
    }
    client.send(request, {
      onInformational() {},
      onHead() {},
      onData() {},
      onEnd() {},
      onDrain() {},
      onFailed: ({ kind }) => events.push(kind),
    })
    clock.advance(30_000)
    await turn()
    expect(connection.of(6)).toHaveLength(0)
    clock.advance(30_000)
    await turn()
    const [ping] = connection.of(6)
    expect(ping).toBeDefined()
    connection.push(frame(6, 1, 0, ping?.payload))
    clock.advance(60_000)
    await turn()
    expect(events).toEqual([])
    clock.advance(30_000)
    await turn()
    expect(events).toEqual(['reset', 'closed'])
  })

  test('are remembered as too many when the peer says so', () => {
    const connection = new FrameConnection('server')
    const limit = { streams: 100, calm: 1 }
    const keepAlive = { intervalMs: 1_000, timeoutMs: 500 }
    const events = { onIdle() {}, onCapacity() {}, onClosed() {} }
    const client = new Http2ClientConnection(connection, { clock: new ManualClock(), limit, keepAlive, ...events })
    connection.push(settings(ordinary))
    connection.push(frame(7, 0, 0, Buffer.concat([uint32(0), uint32(11)])))
    expect(client.capacity).toBe(0)
    expect(limit.calm).toBe(2)
  })
})

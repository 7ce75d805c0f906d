// Heddle's HTTP/2 codec against Node's, both ways, over sockets.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  connect as connectHttp2,
  constants,
  createServer as createHttp2Server,
  type ClientHttp2Session,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type ServerHttp2Stream,
  type Settings,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { after, describe, test } from 'node:test'

import type { RequestHead, ResponseHead } from '../../src/contracts/http-message.ts'
import { systemClock } from '../../src/core/clock.ts'
import { HeaderList } from '../../src/core/header-list.ts'
import type { ClientStreamHandler, OutgoingRequest, ServerStream } from '../../src/proxy/codec/http-stream.ts'
import { Http2ClientConnection } from '../../src/proxy/codec/http2/client-connection.ts'
import { Http2ServerConnection } from '../../src/proxy/codec/http2/server-connection.ts'
import { createNetBackend } from '../../src/proxy/io/net-backend.ts'
import { until } from '../kit/until.ts'

const backend = createNetBackend(systemClock)
const five = Buffer.alloc(5_000_000, 'heddle ')
const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const settingsToTry: readonly (readonly [string, Settings])[] = [
  ['ordinary settings', {}],
  [
    'small settings',
    { initialWindowSize: 1000, headerTableSize: 100, maxConcurrentStreams: 10, maxHeaderListSize: 65_536 },
  ],
]

/** Answers like an application: /echo sends the body back, /size its length. */
function serve(stream: ServerStream): void {
  const { path } = stream.request
  const pieces: Buffer[] = []
  if (path === '/echo') stream.sendHead({ status: 200, headers: HeaderList.of(['X-Kind', 'echo']) }, 'unknown')
  stream.handler = {
    onData(bytes) {
      if (path !== '/echo') pieces.push(Buffer.from(bytes))
      else if (!stream.sendData(bytes)) stream.pause()
    },
    onEnd(trailers) {
      if (path === '/echo') {
        stream.sendEnd(trailers ?? HeaderList.of(['X-Trailer', 'last']))
      } else if (path === '/five') {
        stream.sendHead({ status: 200, headers: new HeaderList() }, five.length)
        stream.sendData(five)
        stream.sendEnd()
      } else if (path === '/abort') {
        stream.abort(new Error('as asked'))
      } else if (path === '/early') {
        stream.sendInformational({ status: 103, headers: HeaderList.of(['Link', '</a>']) })
        stream.sendHead({ status: 204, headers: new HeaderList() }, 0)
        stream.sendEnd()
      } else {
        const body = Buffer.from(hashOf(Buffer.concat(pieces)))
        stream.sendHead(
          { status: 200, headers: HeaderList.of(['Content-Type', 'text/plain'], ['Set-Cookie', 'a=1']) },
          body.length,
        )
        stream.sendData(body)
        stream.sendEnd()
      }
    },
    onDrain: () => stream.resume(),
    onClosed() {},
  }
}

describe('server', () => {
  for (const [name, settings] of settingsToTry) {
    describe(`a node:http2 client with ${name}`, async () => {
      const connections: Http2ServerConnection[] = []
      const refusals: string[] = []
      const server = await backend.listen({ host: '127.0.0.1', port: 0 }, (connection) => {
        const http2 = new Http2ServerConnection(connection, {
          clock: systemClock,
          idleTimeoutMs: 60_000,
          headTimeoutMs: 10_000,
          onStream: serve,
          onRefused: (reason) => refusals.push(reason),
          onClosed() {},
        })
        connections.push(http2)
        http2.start(new Uint8Array())
      })
      const session = connectHttp2(`http://127.0.0.1:${server.address.port}`, { settings })
      session.on('error', () => {})
      after(async () => {
        session.destroy()
        await server.close()
      })

      test('gets a hash of what it sent', async () => {
        const response = await ask(session, { ':path': '/size', ':method': 'POST' }, five)
        assert.equal(response.headers[':status'], 200)
        assert.equal(response.body.toString(), hashOf(five))
        assert.deepEqual(response.headers['set-cookie'], ['a=1'])
      })

      test('gets 5 MB', async () => {
        const response = await ask(session, { ':path': '/five' })
        assert.equal(response.headers['content-length'], '5000000')
        assert.equal(hashOf(response.body), hashOf(five))
      })

      test('gets 5 MB back with trailers', async () => {
        const response = await ask(session, { ':path': '/echo', ':method': 'POST' }, five)
        assert.equal(hashOf(response.body), hashOf(five))
        assert.equal(response.trailers['x-trailer'], 'last')
      })

      test('has 200 requests answered at once', async () => {
        const answers = await Promise.all(
          Array.from({ length: 200 }, (_, i) =>
            ask(session, { ':path': '/size', ':method': 'POST', 'x-number': `${i}` }, Buffer.from(`${i}`)),
          ),
        )
        answers.forEach((response, i) => assert.equal(response.body.toString(), hashOf(Buffer.from(`${i}`))))
      })

      test('hears of an interim response and of no body', async () => {
        const response = await ask(session, { ':path': '/early' })
        assert.equal(response.headers[':status'], 204)
        assert.equal(response.informational[0]?.['link'], '</a>')
      })

      test('sees an aborted response as a reset', async () => {
        await assert.rejects(ask(session, { ':path': '/abort' }), /INTERNAL_ERROR/)
      })

      test('goes on while a stream is stalled', async () => {
        const stalled = session.request({ ':path': '/five' })
        stalled.on('error', () => {})
        const response = await ask(session, { ':path': '/size', ':method': 'POST' }, five)
        assert.equal(response.body.toString(), hashOf(five))
        stalled.close(constants.NGHTTP2_CANCEL)
      })

      test('is told to go away and has its open request answered', async () => {
        const open = session.request({ ':path': '/echo', ':method': 'POST' }, { endStream: false })
        const answered = collect(open)
        open.write('first ')
        await until('the request has come', () => connections.length === 1)
        let goaways = 0
        session.on('goaway', () => goaways++)
        connections[0]?.drain(5_000)
        await until('both GOAWAY frames have come', () => goaways === 2)
        open.end('last')
        assert.equal((await answered).body.toString(), 'first last')
        await until('the session has closed', () => session.closed || session.destroyed)
        assert.deepEqual(refusals, [])
      })
    })
  }
})

interface Answer {
  readonly headers: IncomingHttpHeaders & IncomingHttpStatusHeader
  readonly informational: IncomingHttpHeaders[]
  readonly trailers: IncomingHttpHeaders
  readonly body: Buffer
}

function ask(session: ClientHttp2Session, headers: Record<string, string>, body?: Buffer): Promise<Answer> {
  const stream = session.request(headers, { endStream: body === undefined })
  const answered = collect(stream)
  if (body !== undefined) stream.end(body)
  return answered
}

function collect(stream: ReturnType<ClientHttp2Session['request']>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = []
    const informational: IncomingHttpHeaders[] = []
    let headers: Answer['headers'] = {}
    let trailers: IncomingHttpHeaders = {}
    stream.on('headers', (received) => informational.push(received))
    stream.on('response', (received) => (headers = received))
    stream.on('trailers', (received) => (trailers = received))
    stream.on('data', (piece: Buffer) => pieces.push(piece))
    stream.on('error', reject)
    stream.on('end', () => resolve({ headers, informational, trailers, body: Buffer.concat(pieces) }))
  })
}

describe('client', () => {
  for (const [name, settings] of settingsToTry) {
    describe(`a node:http2 server with ${name}`, async () => {
      const server = createHttp2Server({ settings })
      server.on('stream', answer)
      server.on('sessionError', () => {})
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const { port } = server.address() as AddressInfo
      const connection = await backend.connect({ host: '127.0.0.1', port, timeoutMs: 5_000 })
      let closed = false
      let capacityChanges = 0
      const client = new Http2ClientConnection(connection, {
        clock: systemClock,
        onIdle() {},
        onCapacity: () => capacityChanges++,
        onClosed: () => (closed = true),
      })
      after(() => {
        client.close()
        server.close()
      })

      test('returns what it was sent', async () => {
        const response = await request(client, head('POST', '/echo'), five)
        assert.equal(response.head.status, 200)
        assert.equal(hashOf(response.body), hashOf(five))
        assert.equal(response.trailers?.get('x-trailer'), 'last')
      })

      test('sees the request as it was', async () => {
        const headers = HeaderList.of(
          ['User-Agent', 'test'],
          ['Connection', 'x-hop'],
          ['Transfer-Encoding', 'chunked'],
          ['TE', 'trailers, gzip'],
          ['X-A', '1'],
          ['X-A', '2'],
          ['Authorization', 'secret'],
        )
        const response = await request(client, head('GET', '/mirror', headers))
        const seen = JSON.parse(response.body.toString()) as Record<string, string>
        assert.equal(seen[':authority'], 'app.example:80')
        assert.equal(seen[':path'], '/mirror')
        assert.equal(seen['user-agent'], 'test')
        assert.equal(seen['te'], 'trailers')
        assert.equal(seen['x-a'], '1, 2')
        assert.equal(seen['authorization'], 'secret')
        assert.equal(seen['connection'], undefined)
        assert.equal(seen['transfer-encoding'], undefined)
      })

      test('answers more requests than it takes at once, as there is room', async () => {
        const answers: Promise<Response>[] = []
        for (let i = 0; i < 300; i++) {
          await until('there is room', () => client.capacity > 0)
          answers.push(request(client, head('POST', '/echo'), Buffer.from(`${i}`)))
        }
        const bodies = (await Promise.all(answers)).map((response) => response.body.toString())
        assert.deepEqual(
          bodies,
          Array.from({ length: 300 }, (_, i) => `${i}`),
        )
      })

      test('answers HEAD, and an interim response first', async () => {
        const response = await request(client, head('HEAD', '/early'))
        assert.equal(response.informational[0]?.status, 103)
        assert.equal(response.head.headers.get('content-length'), '77')
        assert.equal(response.length, 0)
      })

      test('answers with trailers only', async () => {
        const response = await request(client, head('POST', '/trailers-only'), Buffer.from('x'))
        assert.equal(response.head.headers.get('grpc-status'), '12')
        assert.equal(response.length, 0)
      })

      test('refuses, and resets', async () => {
        await assert.rejects(request(client, head('GET', '/refuse')), /refused/)
        await assert.rejects(request(client, head('GET', '/reset')), /reset/)
      })

      test('says that it goes away: no more requests, the open ones are answered', async () => {
        const open = request(client, head('GET', '/goaway'))
        assert.equal((await open).body.toString(), 'bye')
        await until('the connection has closed', () => closed)
        assert.equal(client.capacity, 0)
        assert.ok(capacityChanges > 0)
      })
    })
  }

  test('a WebSocket goes through extended CONNECT', async () => {
    const server = createHttp2Server({ settings: { enableConnectProtocol: true } })
    server.on('stream', (stream, headers) => {
      assert.equal(headers[':protocol'], 'websocket')
      stream.respond({ ':status': 200 })
      stream.pipe(stream)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const connection = await backend.connect({ host: '127.0.0.1', port, timeoutMs: 5_000 })
    const client = new Http2ClientConnection(connection, {
      clock: systemClock,
      onIdle() {},
      onCapacity() {},
      onClosed() {},
    })
    const seen: string[] = []
    const stream = client.send(
      { head: head('GET', '/chat'), length: 0, upgrade: 'websocket' },
      {
        onInformational() {},
        onHead: ({ status }) => {
          seen.push(`${status}`)
          stream.sendData(Buffer.from('ping'))
          stream.sendEnd()
        },
        onData: (bytes) => seen.push(Buffer.from(bytes).toString()),
        onEnd: () => seen.push('end'),
        onDrain() {},
        onFailed: (failure) => seen.push(failure.message),
      },
    )
    await until('the echo has ended', () => seen.length === 3)
    assert.deepEqual(seen, ['101', 'ping', 'end'])
    client.close()
    server.close()
  })

  test('a WebSocket is refused clearly where the server takes no extended CONNECT', async () => {
    const server = createHttp2Server()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const connection = await backend.connect({ host: '127.0.0.1', port, timeoutMs: 5_000 })
    const client = new Http2ClientConnection(connection, {
      clock: systemClock,
      onIdle() {},
      onCapacity() {},
      onClosed() {},
    })
    await assert.rejects(
      request(client, head('GET', '/chat'), undefined, 'websocket'),
      /without extended CONNECT \(RFC 8441\)/,
    )
    client.close()
    server.close()
  })
})

function answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  stream.on('error', () => {})
  switch (headers[':path'] ?? '') {
    case '/mirror':
      stream.respond({ ':status': 200 })
      stream.end(JSON.stringify(headers))
      return
    case '/early':
      stream.additionalHeaders({ ':status': 103, link: '</a>' })
      stream.respond({ ':status': 200, 'content-length': 77 }, { endStream: true })
      return
    case '/trailers-only':
      stream.respond({ ':status': 200, 'grpc-status': '12' }, { endStream: true })
      return
    case '/refuse':
      stream.close(constants.NGHTTP2_REFUSED_STREAM)
      return
    case '/reset':
      stream.respond({ ':status': 200 })
      // Node 24's close() ends the response first, whole as it then is.
      stream.destroy(new Error('reset'))
      return
    case '/goaway':
      stream.session?.goaway(constants.NGHTTP2_NO_ERROR, stream.id)
      stream.respond({ ':status': 200 })
      stream.end('bye')
      return
    default:
      stream.respond({ ':status': 200 }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-trailer': 'last' }))
      stream.pipe(stream)
  }
}

interface Response {
  readonly head: ResponseHead
  readonly length: number | 'unknown'
  readonly informational: ResponseHead[]
  readonly trailers: HeaderList | undefined
  readonly body: Buffer
}

function head(method: string, path: string, headers = new HeaderList()): RequestHead {
  return { method, scheme: 'http', authority: 'app.example:80', path, headers }
}

function request(
  client: Http2ClientConnection,
  requestHead: RequestHead,
  body?: Buffer,
  upgrade?: string,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const outgoing: OutgoingRequest = { head: requestHead, length: body?.length ?? 0, upgrade }
    const pieces: Buffer[] = []
    const informational: ResponseHead[] = []
    let response: ResponseHead | undefined
    let length: number | 'unknown' = 'unknown'
    let sent = 0
    const handler: ClientStreamHandler = {
      onInformational: (one) => informational.push(one),
      onHead(one, bodyLength) {
        response = one
        length = bodyLength
      },
      onData: (bytes) => pieces.push(Buffer.from(bytes)),
      onEnd: (trailers) =>
        resolve({ head: response as ResponseHead, length, informational, trailers, body: Buffer.concat(pieces) }),
      onDrain: () => send(),
      onFailed: (failure) => reject(new Error(`${failure.kind}: ${failure.message}`)),
    }
    const stream = client.send(outgoing, handler)
    const send = (): void => {
      if (body === undefined) return
      while (sent < body.length) {
        const piece = body.subarray(sent, sent + 50_000)
        sent += piece.length
        if (!stream.sendData(piece)) return
      }
      stream.sendEnd()
    }
    send()
  })
}

// Bodies that an authorization server decides about: what it is shown, what the application gets, and what becomes of those who wait. Real
// sockets, HTTP/1.1 and HTTP/2, a server on grpc-js and one on node:http.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createServer, request, type IncomingMessage } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import type { AddressInfo, Server } from 'node:net'
import { afterEach, describe, it } from 'node:test'

import type {
  ExternalAuthorizationSpec,
  RequestBodyInCheck,
} from '../../src/policies/external-authorization/external-authorization.spec.ts'
import { startGrpcApplication } from '../kit/grpc-application.ts'
import { grpcAuthorizationServer, type CheckCall } from '../kit/grpc-authorization-server.ts'
import { GrpcCaller } from '../kit/grpc-caller.ts'
import { rawClient } from '../kit/raw-client.ts'
import {
  clusterOf,
  configOf,
  freePort,
  httpChain,
  listenerWith,
  routesTo,
  startLine,
  type TestLine,
} from '../kit/request-line.ts'
import { until } from '../kit/until.ts'

const closers: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** What an application got of one request. */
interface Received {
  readonly headers: IncomingMessage['headers']
  readonly trailers: IncomingMessage['trailers']
  readonly body: Buffer
}

/** An application that answers with the number of bytes it got. */
async function application(received: Received[]): Promise<number> {
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      const body = Buffer.concat(chunks)
      received.push({ headers: incoming.headers, trailers: incoming.trailers, body })
      response.end(`${body.length} bytes`)
    })
  })
  closers.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return listening(server)
}

interface Shown {
  readonly body: Buffer
  readonly partial: string | undefined
}

/** Asked by gRPC; allows what `allows` says, at once unless `answer` waits. */
async function grpcServer(
  shown: Shown[],
  allows: (one: Shown) => boolean = () => true,
  answer: Promise<void> = Promise.resolve(),
): Promise<number> {
  const { server, port } = await grpcAuthorizationServer((call: CheckCall, reply) => {
    const http = call.request.attributes?.request?.http
    const bytes = Buffer.from(http?.rawBody ?? '')
    const one = {
      body: bytes.length > 0 ? bytes : Buffer.from(http?.body ?? ''),
      partial: http?.headers['x-envoy-auth-partial-body'],
    }
    shown.push(one)
    void answer.then(() => reply(null, { status: { code: allows(one) ? 0 : 7 } }))
  })
  closers.push(() => server.forceShutdown())
  return port
}

interface Served {
  readonly port: number
  readonly test: TestLine
}

/** A gateway that asks the server at `authPort` about requests for the application at `appPort`. */
async function serve(
  appPort: number,
  authPort: number,
  requestBody: RequestBodyInCheck,
  options: {
    service?: ExternalAuthorizationSpec['service']
    streamIdleTimeoutMs?: number
    timeoutMs?: number
    http2?: boolean
    /** Asked first, and shown the first bytes only. */
    firstBytes?: number
  } = {},
): Promise<Served> {
  const {
    service = { kind: 'grpc', cluster: 'auth' },
    streamIdleTimeoutMs,
    timeoutMs = 5_000,
    http2,
    firstBytes,
  } = options
  const spec = { service, timeoutMs, failOpen: false, statusOnError: 403, headersInCheck: [], requestBody }
  const port = await freePort()
  const first =
    firstBytes === undefined
      ? []
      : [{ ...spec, requestBody: { ...requestBody, maxRequestBytes: firstBytes, allowPartialMessage: true } }]
  const filters = [...first, spec].map((one) => ({ kind: 'external-authorization', spec: one }) as const)
  const routes = { kind: 'rds', name: 'routes' } as const
  const chain = httpChain(routes, {}, { filter: { kind: 'http', routes, filters, streamIdleTimeoutMs } })
  const clusters = [
    clusterOf('app', [{ port: appPort }], { httpProtocol: http2 === true ? 'http2' : 'http1' }),
    clusterOf('auth', [{ port: authPort }]),
  ]
  const test = await startLine(
    configOf({
      listeners: [listenerWith(port, [chain], { direction: 'gateway' })],
      routes: [routesTo('app')],
      clusters,
    }),
  )
  closers.push(() => test.line.stop())
  return { port, test }
}

const whole: RequestBodyInCheck = { maxRequestBytes: 1_048_576, allowPartialMessage: false, packAsBytes: true }

interface Answer {
  readonly status: number
  readonly body: string
}

function post(port: number, body: Buffer, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: '127.0.0.1', port, method: 'POST', path: '/', agent: false, headers },
      (incoming) => {
        let text = ''
        incoming.on('data', (chunk: Buffer) => (text += chunk.toString()))
        incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, body: text }))
      },
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

describe('the same bytes reach the authorization server and the application', () => {
  for (const size of [1, 70_000, 1_048_576]) {
    it(`${size} of them, with their length declared and in chunks, over HTTP/1.1`, async () => {
      const [received, shown]: [Received[], Shown[]] = [[], []]
      const { port } = await serve(await application(received), await grpcServer(shown), whole)
      const body = randomBytes(size)
      assert.equal((await post(port, body, { 'content-length': String(size) })).body, `${size} bytes`)
      assert.equal((await post(port, body, { 'transfer-encoding': 'chunked' })).body, `${size} bytes`)
      for (const one of received) assert.ok(one.body.equals(body))
      for (const one of shown) assert.ok(one.body.equals(body))
      assert.deepEqual(
        shown.map(({ partial }) => partial),
        ['false', 'false'],
      )
    })
  }

  it('over HTTP/2, in pieces that come one after the other', async () => {
    const [received, shown]: [Received[], Shown[]] = [[], []]
    const { port } = await serve(await application(received), await grpcServer(shown), whole)
    const session = connectHttp2(`http://127.0.0.1:${port}`)
    closers.push(() => session.destroy())
    const stream = session.request({ ':method': 'POST' })
    const pieces = Array.from({ length: 8 }, () => randomBytes(100_000))
    for (const piece of pieces) await new Promise((resolve) => stream.write(piece, resolve))
    stream.end()
    const [head] = await new Promise<[Record<string, unknown>]>((resolve) =>
      stream.on('response', (...all) => resolve(all as never)),
    )
    assert.equal(head[':status'], 200)
    assert.ok(received[0]?.body.equals(Buffer.concat(pieces)))
    assert.ok(shown[0]?.body.equals(Buffer.concat(pieces)))
  })

  it('trailers too, and a request without a body is asked about as before', async () => {
    const [received, shown]: [Received[], Shown[]] = [[], []]
    const { port } = await serve(await application(received), await grpcServer(shown), whole)
    const client = await rawClient(port)
    client.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
    client.write('0\r\nX-Sum: 1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    assert.match(await client.closed(), /3 bytes[^]*0 bytes/)
    assert.equal(received[0]?.body.toString(), 'abc')
    assert.equal(received[0]?.trailers['x-sum'], '1')
    assert.deepEqual(
      shown.map(({ body, partial }) => [body.toString(), partial]),
      [
        ['abc', 'false'],
        ['', undefined],
      ],
    )
  })

  it('of gRPC calls', async () => {
    const shown: Shown[] = []
    const app = await startGrpcApplication(0, 'app')
    closers.push(() => app.stop())
    const { port } = await serve(app.port, await grpcServer(shown), whole, { http2: true })
    const caller = new GrpcCaller(`127.0.0.1:${port}`)
    closers.push(() => caller.close())
    const outcome = await caller.say('hello')
    assert.equal(outcome.message?.toString(), 'hello')
    // each message with five bytes in front that say how long it is
    assert.equal(shown[0]?.body.subarray(5).toString(), 'hello')
    assert.equal(await caller.gather([Buffer.alloc(100_000, 1), Buffer.alloc(100_000, 2)]), '200000')
    assert.equal(shown[1]?.body.length, 200_010)
  })

  it('asked by HTTP', async () => {
    const [received, asked]: [Received[], Received[]] = [[], []]
    const authPort = await application(asked)
    const service = {
      kind: 'http',
      cluster: 'auth',
      pathPrefix: '',
      headersToUpstreamOnAllow: [],
      headersToDownstreamOnDeny: [],
    } as const
    const { port } = await serve(await application(received), authPort, whole, { service })
    const body = randomBytes(100_000)
    assert.equal((await post(port, body)).status, 200)
    assert.ok(received[0]?.body.equals(body))
    assert.ok(asked[0]?.body.equals(body))
    assert.equal(asked[0]?.headers['content-length'], '100000')
  })
})

describe('a body decides', () => {
  it('of two on one connection one passes and one does not', async () => {
    const [received, shown]: [Received[], Shown[]] = [[], []]
    const auth = await grpcServer(shown, ({ body }) => !body.includes('DROP TABLE'))
    const { port, test } = await serve(await application(received), auth, whole)
    const client = await rawClient(port)
    for (const body of ['drop it', 'DROP TABLE x', 'again'])
      client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    await client.waitFor('5 bytes')
    assert.match(client.received(), /200 OK[^]*403 Forbidden[^]*200 OK/)
    assert.deepEqual(
      received.map(({ body }) => body.toString()),
      ['drop it', 'again'],
    )
    assert.deepEqual(
      test.exchanges.map(({ status, flags }) => [status, ...flags]),
      [[200], [403, 'UAEX'], [200]],
    )
    client.socket.destroy()
  })

  it('that is longer than is decided about is refused with 413, wherever it says so', async () => {
    const [received, shown]: [Received[], Shown[]] = [[], []]
    const { port } = await serve(await application(received), await grpcServer(shown), {
      ...whole,
      maxRequestBytes: 1000,
    })
    assert.equal((await post(port, Buffer.alloc(1000))).status, 200)
    assert.equal((await post(port, Buffer.alloc(1001), { 'content-length': '1001' })).status, 413)
    assert.equal((await post(port, Buffer.alloc(1001), { 'transfer-encoding': 'chunked' })).status, 413)
    assert.equal(shown.length, 1)
    assert.equal(received.length, 1)
  })

  it('in part, where that is allowed: the rest goes on behind it', async () => {
    const [received, shown]: [Received[], Shown[]] = [[], []]
    const settings = { ...whole, maxRequestBytes: 1000, allowPartialMessage: true }
    const { port } = await serve(await application(received), await grpcServer(shown), settings)
    const body = randomBytes(3_000_000)
    assert.equal((await post(port, body)).status, 200)
    assert.ok(received[0]?.body.equals(body))
    assert.ok(shown[0]?.body.equals(body.subarray(0, 1000)))
    assert.equal(shown[0]?.partial, 'true')
  })
})

it('two servers are shown as much as each wants, one after the other', async () => {
  const [received, shown]: [Received[], Shown[]] = [[], []]
  const served = await serve(await application(received), await grpcServer(shown), whole, { firstBytes: 10 })
  const body = randomBytes(300_000)
  assert.equal((await post(served.port, body)).status, 200)
  assert.deepEqual(
    shown.map((one) => [one.body.length, one.partial]),
    [
      [10, 'true'],
      [300_000, 'false'],
    ],
  )
  assert.ok(received[0]?.body.equals(body))
})

describe('who waits', () => {
  it('with Expect: 100-continue is told to go on, once, and only when it may', async () => {
    const [received, shown]: [Received[], Shown[]] = [[], []]
    const { port } = await serve(await application(received), await grpcServer(shown), {
      ...whole,
      maxRequestBytes: 10,
    })
    const client = await rawClient(port)
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n')
    await client.waitFor('HTTP/1.1 100 Continue\r\n\r\n')
    client.write('abc')
    await client.waitFor('3 bytes')
    assert.equal(client.received().split('100 Continue').length, 2)
    assert.equal(received[0]?.headers['expect'], undefined)
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n')
    const text = await client.waitFor('HTTP/1.1 413')
    assert.equal(text.split('100 Continue').length, 2)
    client.socket.destroy()
  })

  it('is not read from beyond what is decided about, and what follows comes after the answer', async () => {
    const [received, shown]: [Received[], Shown[]] = [[], []]
    const answer = Promise.withResolvers<void>()
    const settings = { ...whole, maxRequestBytes: 1000, allowPartialMessage: true }
    const auth = await grpcServer(shown, () => true, answer.promise)
    const { port, test } = await serve(await application(received), auth, settings)
    const client = await rawClient(port)
    const size = 48_000_000
    let taken = 0
    client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\nConnection: close\r\n\r\n`)
    const piece = Buffer.alloc(100_000, 97)
    const sending = (async () => {
      for (; taken < size; taken += piece.length) await new Promise((resolve) => client.socket.write(piece, resolve))
    })()
    await until('the server is asked', () => shown.length === 1)
    let seen = 0
    let still = 0
    await until('the caller stands still', () => {
      still = seen === taken ? still + 1 : 0
      seen = taken
      return still > 20
    })
    // the kernel takes some
    assert.ok(taken < size / 2, `${taken} bytes are on their way`)
    assert.equal(received.length, 0)
    answer.resolve()
    await sending
    await client.waitFor(`${size} bytes`)
    assert.equal(test.exchanges[0]?.requestBytes, size)
  })

  it('and goes away reaches nobody: neither before nor after the question', async () => {
    const [received, shown]: [Received[], Shown[]] = [[], []]
    const answer = Promise.withResolvers<void>()
    const { port, test } = await serve(
      await application(received),
      await grpcServer(shown, () => true, answer.promise),
      whole,
    )
    const before = await rawClient(port)
    before.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc')
    const after = await rawClient(port)
    after.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc')
    await until('one is asked about', () => shown.length === 1)
    before.socket.destroy()
    after.socket.destroy()
    await until('both are over', () => test.exchanges.length === 2)
    answer.resolve()
    assert.equal((await post(port, Buffer.from('next'))).body, '4 bytes')
    assert.deepEqual(
      received.map(({ body }) => body.toString()),
      ['next'],
    )
    assert.deepEqual(
      test.exchanges.slice(0, 2).map(({ flags }) => flags),
      [['DC'], ['DC']],
    )
    assert.equal(shown.length, 2)
  })

  it('and never ends is ended: 408', async () => {
    const [received, shown]: [Received[], Shown[]] = [[], []]
    const settings = { ...whole, maxRequestBytes: 1000, allowPartialMessage: true }
    const { port } = await serve(await application(received), await grpcServer(shown), settings, {
      streamIdleTimeoutMs: 300,
    })
    const client = await rawClient(port)
    client.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
    await client.waitFor('HTTP/1.1 408')
    assert.equal(shown.length + received.length, 0)
    client.socket.destroy()
  })

  it('for a server that says nothing is refused', async () => {
    const [received, shown]: [Received[], Shown[]] = [[], []]
    const auth = await grpcServer(shown, () => true, new Promise(() => {}))
    const { port } = await serve(await application(received), auth, whole, { timeoutMs: 100 })
    assert.equal((await post(port, Buffer.alloc(500_000))).status, 403)
    assert.equal(received.length, 0)
  })
})

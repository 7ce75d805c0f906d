// gRPC through two sidecars, grpc-js at both ends: every kind of call, statuses, deadlines, cancellation, repeats, and servers that go.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import {
  connect as connectHttp2,
  constants,
  createServer as createHttp2Server,
  type Http2Server,
  type ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'

import { status } from '@grpc/grpc-js'

import type { RouteConfiguration } from '../../src/proxy/runtime/runtime-config.ts'
import { type GrpcApplication, healthRequest, healthStatus, startGrpcApplication } from '../kit/grpc-application.ts'
import { type CallOutcome, GrpcCaller } from '../kit/grpc-caller.ts'
import { forwardTo, freePort, routesTo } from '../kit/request-line.ts'
import { type SidecarPair, type SidecarPairOptions, startSidecarPair } from '../kit/sidecar-pair.ts'
import { testAuthority } from '../kit/svids.ts'
import { until } from '../kit/until.ts'

const authority = testAuthority()
let application: GrpcApplication
let pair: SidecarPair
let caller: GrpcCaller

async function start(options: Partial<SidecarPairOptions> = {}): Promise<void> {
  pair = await startSidecarPair({ authority, applicationPort: application.port, ...options })
  caller = new GrpcCaller(`127.0.0.1:${pair.port}`)
}

async function stop(): Promise<void> {
  caller.close()
  await pair.stop()
}

before(async () => {
  application = await startGrpcApplication(0, 'reviews')
})

beforeEach(() => {
  application.called.length = 0
  application.timeouts.length = 0
  application.cancelled.length = 0
})

after(() => {
  application.stop()
  authority.remove()
})

describe('gRPC through two sidecars', () => {
  before(() => start())
  after(stop)

  it('unary: messages of any size, metadata both ways, binary too, and trailers', async () => {
    const raw = randomBytes(300)
    for (const size of [0, 1, 70_000, 4_194_304]) {
      const message = randomBytes(size)
      const outcome = await caller.say(message, { metadata: { 'x-raw-bin': raw } })
      assert.equal(outcome.code, status.OK, outcome.details)
      assert.ok(outcome.message?.equals(message))
      assert.deepEqual(outcome.head?.get('x-app'), ['reviews'])
      assert.deepEqual(outcome.head?.get('x-raw-bin'), [raw])
      assert.deepEqual(outcome.trailers.get('x-end'), ['last'])
      assert.deepEqual(outcome.trailers.get('x-end-bin'), [raw])
    }
  })

  it('a stream of requests, and a stream of answers', async () => {
    const messages = Array.from({ length: 50 }, () => randomBytes(40_000))
    assert.equal(await caller.gather(messages), `${50 * 40_000}`)
    const spread = caller.spread('500')
    assert.equal((await spread.status).code, status.OK)
    assert.deepEqual(
      spread.messages.map(String),
      Array.from({ length: 500 }, (_, n) => `${n}`),
    )
  })

  it('both ways: each message comes before the next is sent', async () => {
    const call = caller.talk()
    for (let n = 1; n <= 30; n++) {
      call.send(`${n}`)
      await until(`answer ${n}`, () => call.messages.length === n)
    }
    call.end()
    const { code, metadata } = await call.status
    assert.equal(code, status.OK)
    assert.deepEqual(metadata.get('x-end'), ['last'])
  })

  it('errors are only trailers, and every sink hears of them', async () => {
    for (const code of [1, 3, 5, 7, 8, 9, 13, 16]) {
      const outcome = await caller.say('x', { metadata: { 'x-fail': `${code}` } })
      assert.equal(outcome.code, code)
      assert.equal(outcome.details, 'as you wish: 100 % reviews ü')
      assert.deepEqual(outcome.trailers.get('x-end'), ['last'])
    }
    for (const { exchanges } of [pair.client, pair.server]) {
      await until('it is told', () => exchanges.at(-1)?.grpcStatus === 16)
      assert.equal(exchanges.at(-1)?.status, 200)
    }
    await caller.say('x')
    await until('a status in trailers is told too', () => pair.client.exchanges.at(-1)?.grpcStatus === 0)
  })

  it('many calls at once share few connections', async () => {
    const outcomes = await Promise.all(Array.from({ length: 400 }, (_, n) => caller.say(`${n}`)))
    assert.deepEqual(
      outcomes.map(({ message }) => String(message)),
      outcomes.map((_, n) => `${n}`),
    )
    assert.ok(pair.server.openConnections() <= 4, `${pair.server.openConnections()} connections`)
  })

  it('a call that is given up is given up at the server', async () => {
    const call = caller.talk()
    call.send('a')
    await until('it has begun', () => call.messages.length === 1)
    call.cancel()
    assert.equal((await call.status).code, status.CANCELLED)
    await until('the server hears of it', () => application.cancelled.includes('/calls.Calls/Talk'))
    await until('and the sidecar', () => pair.client.exchanges.at(-1)?.flags.includes('DC') === true)
  })

  it('the caller’s deadline goes on as what is left of it', async () => {
    await caller.say('x', { timeoutMs: 5_000 })
    const [left = 0] = application.timeouts
    assert.ok(left > 3_000 && left <= 5_000, `${left} ms`)
    const outcome = await caller.say('x', { timeoutMs: 150 }, 'Hold')
    assert.equal(outcome.code, status.DEADLINE_EXCEEDED)
    await until('the server hears of it', () => application.cancelled.includes('/calls.Calls/Hold'))
  })

  it('a deadline that the caller only names ends the call, in the sidecar and behind it', async () => {
    const session = connectHttp2(`http://127.0.0.1:${pair.port}`)
    const stream = session.request({
      ':method': 'POST',
      ':path': '/calls.Calls/Hold',
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-timeout': '200m',
    })
    const head = new Promise<Record<string, unknown>>((resolve) => stream.on('response', resolve))
    stream.end(Buffer.alloc(5))
    const { ':status': httpStatus, 'grpc-status': grpcStatus, 'content-type': type } = await head
    assert.deepEqual([httpStatus, grpcStatus, type], [200, '4', 'application/grpc'])
    await until('the server hears of it', () => application.cancelled.includes('/calls.Calls/Hold'))
    assert.ok((application.timeouts[0] ?? Infinity) <= 200)
    await until('it is told', () => pair.client.exchanges.at(-1)?.grpcStatus === 4)
    session.close()
  })

  it('answers to health checks, once and watched', async () => {
    const check = (service: string): Promise<CallOutcome> => caller.say(healthRequest(service), {}, 'Check')
    assert.equal(healthStatus((await check('calls.Calls')).message ?? Buffer.alloc(0)), 1)
    assert.equal((await check('nobody')).code, status.NOT_FOUND)
    const watch = caller.spread(healthRequest(''), {}, 'Watch')
    await until('both states have come', () => watch.messages.length === 2)
    assert.deepEqual(watch.messages.map(healthStatus), [1, 2])
    watch.cancel()
    await until('the watch is over', () => application.cancelled.includes('/grpc.health.v1.Health/Watch'))
  })

  it('a client may ping', async () => {
    const pinging = new GrpcCaller(`127.0.0.1:${pair.port}`, {
      'grpc.keepalive_time_ms': 20,
      'grpc.keepalive_timeout_ms': 500,
      'grpc.keepalive_permit_without_calls': 1,
    })
    const watch = pinging.talk()
    watch.send('a')
    await until('it has begun', () => watch.messages.length === 1)
    await new Promise((resolve) => setTimeout(resolve, 300))
    watch.send('b')
    await until('it goes on', () => watch.messages.length === 2)
    watch.end()
    assert.equal((await watch.status).code, status.OK)
    pinging.close()
  })

  it('a server may go away: open calls finish, others take a new connection', async () => {
    const call = caller.talk()
    call.send('a')
    await until('it has begun', () => call.messages.length === 1)
    application.goAway()
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => caller.say('x')))
    assert.deepEqual(new Set(outcomes.map(({ code }) => code)), new Set([status.OK]))
    call.send('b')
    await until('the open call goes on', () => call.messages.length === 2)
    call.end()
    assert.equal((await call.status).code, status.OK)
  })
})

function bounded(timeouts: { requestMs?: number; backendRequestMs?: number }): RouteConfiguration {
  return routesTo('reviews', { action: { ...forwardTo('reviews'), timeouts } })
}

function retrying(attempts: number, grpcStatuses: number[]): RouteConfiguration {
  const retry = { attempts, statusCodes: [], grpcStatuses, backoffMs: 1 }
  return routesTo('reviews', { action: { ...forwardTo('reviews'), retry } })
}

describe('deadlines of routes', () => {
  afterEach(stop)
  it('answer DEADLINE_EXCEEDED, and the server hears of it', async () => {
    await start({ routes: bounded({ requestMs: 200 }) })
    const { code, details } = await caller.say('x', {}, 'Hold')
    assert.equal(code, status.DEADLINE_EXCEEDED)
    assert.match(details, /no complete response|waited too long/)
    assert.ok((application.timeouts[0] ?? Infinity) <= 200)
    await until('the call is cancelled', () => application.cancelled.length === 1)
    await until('it is told', () => pair.client.exchanges.some(({ grpcStatus }) => grpcStatus === 4))
  })

  it('end a response that has begun with the same status', async () => {
    await start({ routes: bounded({ requestMs: 200 }) })
    const call = caller.spread('3', { metadata: { 'x-wait': '1' } })
    assert.equal((await call.status).code, status.DEADLINE_EXCEEDED)
    assert.equal(call.messages.length, 3)
    await until('the call is cancelled', () => application.cancelled.length === 1)
  })

  it('end a call whose messages still come, and harm no other call', async () => {
    await start({ routes: bounded({ requestMs: 1_000 }) })
    const call = caller.talk()
    const message = 'm'.repeat(60_000)
    const ends: number[] = []
    void call.status.then(({ code }) => ends.push(code))
    while (ends.length === 0) {
      call.send(message)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    assert.deepEqual(ends, [status.DEADLINE_EXCEEDED])
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => caller.say(Buffer.alloc(100_000))))
    assert.deepEqual(new Set(outcomes.map(({ code }) => code)), new Set([status.OK]))
  })

  it('of one attempt bound what the server is told', async () => {
    await start({ routes: bounded({ requestMs: 5_000, backendRequestMs: 900 }) })
    await caller.say('x')
    assert.ok((application.timeouts[0] ?? Infinity) <= 900)
  })
})

/** Fails with `fail` as many times as `first` says, then answers. */
function trying(first: number, fail: number): Promise<CallOutcome> {
  const call = randomBytes(8).toString('hex')
  return caller.say('x', { metadata: { 'x-call': call, 'x-fail-first': `${first}`, 'x-fail': `${fail}` } }, 'Try')
}

describe('repeats', () => {
  afterEach(stop)

  it('go by the status the route lists, and are counted', async () => {
    await start({ routes: retrying(3, [status.UNAVAILABLE]) })
    const outcome = await trying(2, status.UNAVAILABLE)
    assert.equal(outcome.code, status.OK)
    assert.equal(String(outcome.message), '3')
    await until('it is told', () => pair.client.exchanges.length === 1)
    assert.deepEqual(
      pair.client.exchanges[0]?.attempts.map(({ retriedBecause }) => retriedBecause),
      ['gRPC status 14', 'gRPC status 14', undefined],
    )
    assert.equal((await trying(1, status.INTERNAL)).code, status.INTERNAL)
    const tooOften = await trying(9, status.UNAVAILABLE)
    assert.equal(tooOften.code, status.UNAVAILABLE)
    await until('it is told', () => pair.client.exchanges.length === 3)
    assert.equal(pair.client.exchanges[2]?.attempts.length, 4)
    assert.deepEqual(pair.client.exchanges[2]?.flags, ['URX'])
  })

  it('do not start the caller’s time again', async () => {
    const retry = { attempts: 1, statusCodes: [], grpcStatuses: [status.UNAVAILABLE], backoffMs: 300 }
    await start({ routes: routesTo('reviews', { action: { ...forwardTo('reviews'), retry } }) })
    assert.equal((await trying(1, status.UNAVAILABLE)).code, status.OK)
    const [first = 0, second = Infinity] = application.timeouts
    assert.ok(second <= first - 250, `${first} ms, then ${second} ms`)
  })

  it('do not happen without a policy', async () => {
    await start()
    assert.equal((await trying(1, status.UNAVAILABLE)).code, status.UNAVAILABLE)
    assert.equal(application.called.length, 1)
  })

  it('of a call that the server’s sidecar could not hand on need no policy', async () => {
    await start({ applicationPort: await freePort() })
    const { code, details } = await caller.say('x')
    assert.equal(code, status.UNAVAILABLE)
    assert.match(details, /could not connect/)
    await until('it is told', () => pair.client.exchanges.length === 1)
    assert.deepEqual(
      pair.client.exchanges[0]?.attempts.map(({ retriedBecause }) => retriedBecause),
      ['refused by the peer', 'refused by the peer', undefined],
    )
  })
})

describe('a server that says no', () => {
  let server: Http2Server
  let refuse: 'stream' | 'session' | undefined
  let seen = 0
  let holding = false
  const held: ServerHttp2Stream[] = []
  before(async () => {
    server = createHttp2Server()
    server.on('stream', (stream, headers) => {
      // gRPC's own servers refuse calls without it.
      assert.equal(headers['te'], 'trailers')
      seen++
      const how = refuse
      refuse = undefined
      stream.on('error', () => {})
      if (holding) {
        held.push(stream)
        return
      }
      if (how === 'stream') {
        stream.close(constants.NGHTTP2_REFUSED_STREAM)
        return
      }
      if (how === 'session') {
        // As one that had decided to go before the call came.
        stream.session?.goaway(constants.NGHTTP2_NO_ERROR, (stream.id ?? 0) - 2)
        setTimeout(() => stream.session?.destroy(), 50)
        return
      }
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      stream.pipe(stream)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    await start({ applicationPort: (server.address() as AddressInfo).port })
  })
  after(async () => {
    await stop()
    server.close()
  })

  for (const how of ['stream', 'session'] as const) {
    it(`a ${how} is asked again, for the call was not processed`, async () => {
      assert.equal((await caller.say('first')).code, status.OK)
      seen = 0
      refuse = how
      const outcome = await caller.say('again')
      assert.equal(outcome.code, status.OK, outcome.details)
      assert.equal(String(outcome.message), 'again')
      assert.equal(seen, 2)
      await until('it is told', () => pair.server.exchanges.at(-1)?.attempts.length === 2)
      assert.equal(pair.server.exchanges.at(-1)?.attempts[0]?.retriedBecause, 'refused by the peer')
    })
  }
  it('to many at once is asked again for each of them', async () => {
    await caller.say('first')
    holding = true
    const calls = Array.from({ length: 60 }, (_, n) => caller.say(`${n}`))
    await until('all are there', () => held.length === 60)
    holding = false
    const [session] = held.map((stream) => stream.session)
    session?.goaway(constants.NGHTTP2_NO_ERROR, 1)
    const outcomes = await Promise.all(calls)
    assert.deepEqual(
      outcomes.map(({ message }) => String(message)),
      outcomes.map((_, n) => `${n}`),
    )
  })
})

it('a server that takes few streams at once gets the others later', async () => {
  const few = createHttp2Server({ settings: { maxConcurrentStreams: 5 } })
  few.on('stream', (stream) => {
    stream.on('error', () => {})
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.pipe(stream)
  })
  await new Promise<void>((resolve) => few.listen(0, '127.0.0.1', resolve))
  await start({ applicationPort: (few.address() as AddressInfo).port })
  // Its limit is not known before these are on their way.
  const outcomes = await Promise.all(Array.from({ length: 100 }, (_, n) => caller.say(`${n}`)))
  assert.deepEqual(
    outcomes.map(({ message }) => String(message)),
    outcomes.map((_, n) => `${n}`),
  )
  await stop()
  few.close()
})

describe('a sidecar that goes', () => {
  for (const side of ['client', 'server'] as const) {
    it(`(the ${side}’s) lets open calls finish`, async () => {
      await start()
      const call = caller.talk()
      call.send('a')
      await until('it has begun', () => call.messages.length === 1)
      const drained = pair[side].line.drain(5_000)
      for (let n = 2; n <= 10; n++) {
        call.send('b')
        await until(`answer ${n}`, () => call.messages.length === n)
      }
      call.end()
      assert.equal((await call.status).code, status.OK)
      await drained
      await stop()
    })
  }
})

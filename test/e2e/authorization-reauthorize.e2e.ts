// Edits of authorization policies that demand it end what is open and no longer allowed, whatever carries it; what is still allowed goes on.
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2, constants } from 'node:http2'
import { type AddressInfo, connect, type Server as NetServer, type Socket } from 'node:net'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'

import { status } from '@grpc/grpc-js'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'

import { systemClock } from '../../src/core/clock.ts'
import type { Principal, RbacFilterSpec } from '../../src/policies/authorization/authorization.spec.ts'
import { parseJwks } from '../../src/policies/request-authentication/jwks.runtime.ts'
import { createIoBackend } from '../../src/proxy/io/create-io-backend.ts'
import type {
  FilterChainConfig,
  HttpConnectionManagerConfig,
  HttpFilterConfig,
  ListenerConfig,
} from '../../src/proxy/runtime/runtime-config.ts'
import type { Exchange } from '../../src/proxy/telemetry/exchange.ts'
import { handshakeOf, helloOf, recordsOf } from '../kit/client-hellos.ts'
import { greetingServer, listenOn } from '../kit/greeting-server.ts'
import { type GrpcApplication, startGrpcApplication } from '../kit/grpc-application.ts'
import { GrpcCaller, type StreamedCall } from '../kit/grpc-caller.ts'
import { type RawClient, rawClient } from '../kit/raw-client.ts'
import { clusterOf, configOf, freePort, listenerWith, routesTo, startLine, type TestLine } from '../kit/request-line.ts'
import { until } from '../kit/until.ts'

const issuer = 'https://issuer.test'
const { privateKey, publicKey } = await generateKeyPair('ES256')
const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' }] })

let application: Server
let greeter: NetServer
let grpc: GrpcApplication
let test: TestLine
let ports: { http: number; grpc: number; tcp: number; tls: number; proxy: number }
/** Keys come when it is called; undefined: nobody waits for any. */
let giveKeys: (() => void) | undefined
/** Dials wait for it. */
let dialling: Promise<void> | undefined
/** Requests that the application leaves without an answer. */
let silent = 0
const clients: { readonly socket: Socket }[] = []
const sessions: ClientHttp2Session[] = []
const callers: GrpcCaller[] = []

before(async () => {
  application = createServer((incoming, response) => {
    if (incoming.url === '/silent') {
      silent++
      return
    }
    response.writeHead(200).write('begun')
    const timer = setInterval(() => response.write('.'), 10)
    response.on('close', () => clearInterval(timer))
  })
  application.on('upgrade', (_, socket) => {
    socket.on('error', () => {})
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
    socket.pipe(socket)
  })
  greeter = greetingServer('ready')
  grpc = await startGrpcApplication(0, 'reviews')
  await listenOn(0, application)
  await listenOn(0, greeter)
  const [http, tcp, tls, proxy] = [await freePort(), await freePort(), await freePort(), await freePort()]
  ports = { http, grpc: await freePort(), tcp, tls, proxy }
  const { io } = createIoBackend(systemClock, 'auto')
  const connectNow = io.connect.bind(io)
  io.connect = async (options) => {
    await dialling
    return connectNow(options)
  }
  test = await startLine(configOf({}), {
    io,
    jwks: {
      current: ({ jwks: text }) => (text === undefined ? undefined : parseJwks(text)),
      load: () => new Promise((resolve) => (giveKeys = () => resolve(parseJwks(jwks)))),
      reload: () => Promise.reject(new Error('no others')),
    },
  })
})

beforeEach(() => {
  put()
  return until('all are open', () => test.line.listening.value.size === 5)
})

afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy()
  for (const session of sessions.splice(0)) session.destroy()
  for (const caller of callers.splice(0)) caller.close()
  application.closeAllConnections()
  await until('everything is over', () => test.openConnections() === 0)
  test.exchanges.length = 0
  test.refused.length = 0
})

after(async () => {
  await test.line.stop()
  application.close()
  greeter.close()
  grpc.stop()
})

const named = (name: string): Principal => ({
  kind: 'header',
  name: 'x-name',
  match: { kind: 'exact', value: name, ignoreCase: false },
})

function denying(...principals: Principal[]): RbacFilterSpec {
  const name = 'AuthorizationPolicy/default/edited/0'
  return { enforced: { action: 'DENY', policies: [{ name, permissions: [{ kind: 'any' }], principals }] } }
}

const nobody = denying(named('nobody'))
const noBob = denying(named('bob'))

interface Edit {
  readonly rules?: RbacFilterSpec
  readonly bytes?: RbacFilterSpec
  readonly reauthorize?: boolean
  readonly before?: readonly HttpFilterConfig[]
}

/** Policies as the control plane would send them. */
function put({ rules, bytes, reauthorize = true, before: first = [] }: Edit = {}): void {
  const marked = reauthorize ? ({ reauthorize: true } as const) : {}
  const filters: HttpFilterConfig[] = [
    ...first,
    ...(rules === undefined ? [] : [{ kind: 'authorization', spec: rules } as const]),
  ]
  const filtered = { ...(filters.length === 0 ? {} : { filters }), ...marked }
  const http = (cluster: string): HttpConnectionManagerConfig => {
    return { kind: 'http', routes: { kind: 'inline', routeConfiguration: routesTo(cluster) }, ...filtered }
  }
  const forward = { kind: 'forward-proxy', searchDomains: [], allowAny: true } as const
  const tcp: FilterChainConfig['filter'] = {
    kind: 'tcp',
    backends: [{ cluster: 'greeter', weight: 1 }],
    route: 'default',
    ...(bytes === undefined ? {} : { authorization: [bytes] }),
    ...marked,
  }
  test.runtime.set(
    configOf({
      listeners: [
        listener('http', chain(http('app'), 'plaintext')),
        listener('grpc', chain(http('grpc'), 'plaintext')),
        { ...listener('tcp', chain(tcp, 'any')), inspect: { tls: false, http: false } },
        listener('tls', { ...chain(tcp, 'tls'), match: { ...chain(tcp, 'tls').match, serverNames: ['shop.example'] } }),
        { ...listener('proxy', chain({ ...http('app'), routes: forward }, 'plaintext')), direction: 'outbound' },
      ],
      clusters: [
        clusterOf('app', [portOf(application)], { httpProtocol: 'http1' }),
        clusterOf('grpc', [{ port: grpc.port }], { httpProtocol: 'http2' }),
        clusterOf('greeter', [portOf(greeter)]),
      ],
    }),
  )
}

function chain(filter: FilterChainConfig['filter'], transport: 'plaintext' | 'tls' | 'any'): FilterChainConfig {
  return { name: filter.kind, match: { transport, serverNames: [], applicationProtocols: [] }, filter }
}

function listener(name: keyof typeof ports, one: FilterChainConfig): ListenerConfig {
  return listenerWith(ports[name], [one], { name, direction: 'inbound' })
}

const from = (last: number): Principal => ({
  kind: 'directRemoteIp',
  block: { address: `127.0.0.${last}`, prefixLength: 32 },
})

async function greeted(
  last: number,
  port = ports.tcp,
  hello: Uint8Array = new Uint8Array(),
): Promise<{ socket: Socket; text: () => string; error: () => string }> {
  const socket = connect({ host: '127.0.0.1', port, localAddress: `127.0.0.${last}` })
  clients.push({ socket })
  socket.write(hello)
  let [text, error] = ['', '']
  socket.on('data', (bytes: Buffer) => (text += bytes.toString()))
  socket.on('error', (problem: NodeJS.ErrnoException) => (error = problem.code ?? ''))
  await until('it is greeted', () => text.includes('220 ready'))
  return { socket, text: () => text, error: () => error }
}

function portOf(server: Server | NetServer): { port: number } {
  return { port: (server.address() as AddressInfo).port }
}

async function opened(name: string, lines = '', path = '/', expected = 'begun'): Promise<RawClient> {
  const client = await rawClient(ports.http)
  clients.push(client)
  client.write(`GET ${path} HTTP/1.1\r\nHost: app\r\nX-Name: ${name}\r\n${lines}\r\n`)
  if (expected !== '') await client.waitFor(expected)
  return client
}

async function goesOn(client: RawClient): Promise<void> {
  const { length } = client.received()
  await until('more comes', () => client.received().length > length)
}

/** Of the one exchange that was ended. */
async function ended(): Promise<Exchange> {
  await until('an exchange is over', () => test.exchanges.length > 0)
  assert.equal(test.exchanges.length, 1)
  const [exchange] = test.exchanges as [Exchange]
  assert.deepEqual(exchange.flags, ['UAEX'])
  assert.equal(exchange.detail, 'no longer allowed: denied by AuthorizationPolicy/default/edited, rule 1')
  assert.equal(exchange.authorization?.allowed, false)
  assert.equal(exchange.authorization?.policy, 'AuthorizationPolicy/default/edited/0')
  return exchange
}

function http2(name: string): { stream: ClientHttp2Stream; received: () => number } {
  let [session] = sessions
  if (session === undefined) {
    session = connectHttp2(`http://127.0.0.1:${ports.http}`)
    session.on('error', () => {})
    sessions.push(session)
  }
  const stream = session.request({ ':path': '/', 'x-name': name })
  let bytes = 0
  stream.on('data', (chunk: Buffer) => (bytes += chunk.length)).on('error', () => {})
  return { stream, received: () => bytes }
}

describe('an edit with reauthorize', () => {
  it('cuts a response over HTTP/1.1 that is no longer allowed, and no other', async () => {
    put({ rules: nobody })
    const [alice, bob] = [await opened('alice'), await opened('bob')]
    put({ rules: noBob })
    await bob.closed()
    assert.ok(!bob.received().endsWith('0\r\n\r\n'), 'the body is not complete')
    await goesOn(alice)
    const { status: code, responseBytes } = await ended()
    assert.equal(code, 200)
    assert.ok(responseBytes > 0)
  })

  it('answers with 403 what has no answer yet', async () => {
    put({ rules: nobody })
    const waiting = await opened('bob', '', '/silent', '')
    const upload = await rawClient(ports.http)
    clients.push(upload)
    upload.write('POST /silent HTTP/1.1\r\nHost: app\r\nX-Name: bob\r\nContent-Length: 1000000\r\n\r\npart')
    await until('the application has both', () => silent === 2)
    put({ rules: noBob })
    for (const client of [waiting, upload]) {
      assert.match(await client.waitFor('RBAC: access denied\n'), /^HTTP\/1\.1 403 /)
    }
    await upload.closed()
    assert.deepEqual(
      test.exchanges.map((exchange) => [exchange.status, exchange.flags]),
      [
        [403, ['UAEX']],
        [403, ['UAEX']],
      ],
    )
  })

  it('cuts a WebSocket', async () => {
    put({ rules: nobody })
    const client = await opened('bob', 'Connection: Upgrade\r\nUpgrade: websocket\r\n', '/', '101 Switching')
    client.write('ping')
    await client.waitFor('ping')
    put({ rules: noBob })
    await client.closed()
    assert.equal((await ended()).status, 101)
  })

  it('resets one stream of an HTTP/2 connection, and leaves the others', async () => {
    put({ rules: nobody })
    const [alice, bob] = [http2('alice'), http2('bob')]
    await until('both have begun', () => alice.received() > 0 && bob.received() > 0)
    put({ rules: noBob })
    await until('it is reset', () => bob.stream.closed)
    assert.equal(bob.stream.rstCode, constants.NGHTTP2_INTERNAL_ERROR)
    const received = alice.received()
    await until('the other goes on', () => alice.received() > received)
    await ended()
  })

  const calls: Record<string, (caller: GrpcCaller) => Promise<StreamedCall>> = {
    'whose answers have begun': async (caller) => {
      const call = caller.talk({ metadata: { 'x-name': 'bob' } })
      call.send('1')
      await until('the answer', () => call.messages.length === 1)
      return call
    },
    'without an answer': async (caller) => {
      const count = grpc.called.length
      const call = caller.spread('', { metadata: { 'x-name': 'bob' } }, 'Hold')
      await until('the call is there', () => grpc.called.length > count)
      return call
    },
  }
  for (const [kind, begin] of Object.entries(calls)) {
    it(`ends a gRPC call ${kind} with PERMISSION_DENIED`, async () => {
      put({ rules: nobody })
      grpc.cancelled.length = 0
      const caller = new GrpcCaller(`127.0.0.1:${ports.grpc}`)
      callers.push(caller)
      const call = await begin(caller)
      put({ rules: noBob })
      const { code, details } = await call.status
      assert.deepEqual([code, details], [status.PERMISSION_DENIED, 'RBAC: access denied'])
      assert.equal((await ended()).grpcStatus, status.PERMISSION_DENIED)
      await until('the application hears of it', () => grpc.cancelled.length > 0)
    })
  }

  it('resets a connection of opaque bytes, and leaves those of others', async () => {
    put({ bytes: denying(from(9)) })
    const [alice, bob] = [await greeted(2), await greeted(3)]
    put({ bytes: denying(from(3)) })
    await until('it is over', () => bob.socket.destroyed)
    assert.equal(bob.error(), 'ECONNRESET')
    alice.socket.write('still here')
    await until('the other goes on', () => alice.text().includes('still here'))
    assert.ok((await ended()).responseBytes > 0)
  })

  it('knows the server name that TLS of the application asked for', async () => {
    const hello = recordsOf(handshakeOf(helloOf({ serverName: 'shop.example' })))
    const match = { kind: 'exact', value: 'shop.example', ignoreCase: false } as const
    const shopAlone = (name: string): RbacFilterSpec => {
      const policy = { name, permissions: [{ kind: 'serverName', match }], principals: [{ kind: 'any' }] } as const
      return { enforced: { action: 'ALLOW', policies: [policy] } }
    }
    put({ bytes: shopAlone('first') })
    const shop = await greeted(2, ports.tls, hello)
    put({ bytes: shopAlone('second') })
    shop.socket.write('still here')
    await until('it goes on', () => shop.text().includes('still here'))
    assert.deepEqual(test.exchanges, [])
  })

  it('resets a connection of opaque bytes whose server is still being dialled', async () => {
    put({ bytes: denying(from(9)) })
    const { promise, resolve } = Promise.withResolvers<void>()
    dialling = promise
    const socket = connect({ host: '127.0.0.1', port: ports.tcp, localAddress: '127.0.0.3' })
    clients.push({ socket })
    socket.on('error', () => {})
    await until('it is there', () => test.openConnections() === 1)
    put({ bytes: denying(from(3)) })
    await until('it is over', () => socket.destroyed)
    await ended()
    let [dialled, left] = [false, false]
    greeter.once('connection', (server: Socket) => {
      dialled = true
      server.once('close', () => (left = true))
    })
    dialling = undefined
    resolve()
    await until('the server is dialled', () => dialled)
    await until('nobody keeps it', () => left)
  })

  it('cuts what followed a CONNECT, on a connection of its own and on a stream', async () => {
    put({ rules: nobody })
    const authority = `127.0.0.1:${portOf(greeter).port}`
    const client = await rawClient(ports.proxy)
    clients.push(client)
    client.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\nX-Name: bob\r\n\r\n`)
    await client.waitFor('220 ready')
    const session = connectHttp2(`http://127.0.0.1:${ports.proxy}`)
    sessions.push(session)
    const stream = session.request({ ':method': 'CONNECT', ':authority': authority, 'x-name': 'bob' })
    let received = ''
    stream.on('data', (bytes: Buffer) => (received += bytes.toString())).on('error', () => {})
    await until('it is greeted', () => received.includes('220 ready'))
    put({ rules: noBob })
    await client.closed()
    await until('the stream is reset', () => stream.closed)
    await until('both are told', () => test.exchanges.length === 2)
    for (const { flags, authorization } of test.exchanges)
      assert.deepEqual([flags, authorization?.allowed], [['UAEX'], false])
  })

  it('leaves what is open where the policies do not demand it, until they do', async () => {
    put({ rules: nobody, reauthorize: false })
    const bob = await opened('bob')
    put({ rules: noBob, reauthorize: false })
    await goesOn(bob)
    assert.equal(test.exchanges.length, 0)
    put({ rules: noBob })
    await bob.closed()
    await ended()
  })

  it('cuts what came before there was any policy, by the path and address that it has', async () => {
    put({ reauthorize: false })
    const client = await opened('bob', '', '/%61/b')
    const other = await opened('bob', '', '/c')
    put({ rules: denying({ kind: 'path', match: { kind: 'exact', value: '/a/b', ignoreCase: false } }) })
    await client.closed()
    await goesOn(other)
    await ended()
  })

  const keysAtHand = authentication({ jwks })

  it('knows the claims of a token that is long taken out of the request', async () => {
    put({ rules: nobody, before: [keysAtHand] })
    const [blue, red] = [await opened('a', await bearerOf('blue')), await opened('b', await bearerOf('red'))]
    put({ rules: denying(ofTeam('blue')), before: [keysAtHand] })
    await blue.closed()
    await goesOn(red)
    await ended()
  })

  it('holds for a request that still waits for the keys of its token', async () => {
    const slow = authentication({ jwksUri: 'https://issuer.test/jwks' })
    put({ rules: nobody, before: [slow] })
    const client = await opened('a', await bearerOf('blue'), '/', '')
    await until('keys are asked for', () => giveKeys !== undefined)
    put({ rules: denying(ofTeam('blue')), before: [slow] })
    giveKeys?.()
    assert.match(await client.waitFor('denied'), /^HTTP\/1\.1 403 /)
    await ended()
  })
})

function ofTeam(team: string): Principal {
  const match = { kind: 'exact', value: team, ignoreCase: false } as const
  return { kind: 'claim', path: ['team'], value: { kind: 'text', match } }
}

function authentication(keys: { readonly jwks: string } | { readonly jwksUri: string }): HttpFilterConfig {
  const locations = { fromHeaders: [], fromParams: [], fromCookies: [], outputClaimToHeaders: [] }
  const rule = { issuer, audiences: [], timeoutMs: 1000, forwardOriginalToken: false, ...locations, ...keys }
  return { kind: 'request-authentication', spec: { rules: [rule] } }
}

async function bearerOf(team: string): Promise<string> {
  const signing = new SignJWT({ team }).setProtectedHeader({ alg: 'ES256', kid: 'one' })
  const token = await signing.setIssuer(issuer).setSubject('alice').setExpirationTime('5m').sign(privateKey)
  return `Authorization: Bearer ${token}\r\n`
}

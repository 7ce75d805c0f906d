// A TLS handshake lasts as long as the caller likes: what policies say when it is over decides, and none is left out when its listener is gone.
import assert from 'node:assert/strict'
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { after, afterEach, before, it } from 'node:test'
import { connect as connectTls } from 'node:tls'

import type { RbacFilterSpec } from '../../src/policies/authorization/authorization.spec.ts'
import type { FilterChainConfig } from '../../src/proxy/runtime/runtime-config.ts'
import { greetingServer, listenOn } from '../kit/greeting-server.ts'
import { clusterOf, configOf, freePort, listenerWith, routesTo, startLine, type TestLine } from '../kit/request-line.ts'
import { testAuthority } from '../kit/svids.ts'
import { until } from '../kit/until.ts'

const authority = testAuthority()
const own = authority.issue('spiffe://mesh.local/ns/default/sa/web')
const tls = { kind: 'mesh', requireClientCertificate: true, alpn: ['http/1.1'] } as const
let application: HttpServer
let greeter: Server
let test: TestLine
let port = 0
const closers: (() => void)[] = []

before(async () => {
  application = createHttpServer((_, response) => response.end('served'))
  greeter = greetingServer('ready')
  await listenOn(0, application)
  await listenOn(0, greeter)
  port = await freePort()
  test = await startLine(configOf({}), { credentials: authority.issue('spiffe://mesh.local/ns/default/sa/server') })
})

afterEach(() => {
  for (const close of closers.splice(0)) close()
})

after(async () => {
  await test.line.stop()
  application.close()
  greeter.close()
  authority.remove()
})

function rules(action: 'ALLOW' | 'DENY', name: string): RbacFilterSpec {
  const [permissions, principals] = [[{ kind: 'any' }], [{ kind: 'any' }]] as const
  return {
    enforced: { action, policies: [{ name: `AuthorizationPolicy/default/${name}/0`, permissions, principals }] },
  }
}

function tcp(spec: RbacFilterSpec): FilterChainConfig['filter'] {
  return { kind: 'tcp', backends: [{ cluster: 'greeter', weight: 1 }], route: 'default', authorization: [spec] }
}

function http(spec: RbacFilterSpec): FilterChainConfig['filter'] {
  const routes = { kind: 'inline', routeConfiguration: routesTo('app') } as const
  return { kind: 'http', routes, filters: [{ kind: 'authorization', spec }] }
}

/** Undefined: the listener is gone. */
function put(filter: FilterChainConfig['filter'] | undefined): Promise<void> {
  const match = { transport: 'tls', serverNames: [], applicationProtocols: [] } as const
  const changes = { name: 'inbound|80', direction: 'inbound' } as const
  const listeners = filter === undefined ? [] : [listenerWith(port, [{ name: 'tls', match, tls, filter }], changes)]
  const clusters = [
    clusterOf('app', [{ port: (application.address() as AddressInfo).port }]),
    clusterOf('greeter', [{ port: (greeter.address() as AddressInfo).port }]),
  ]
  test.runtime.set(configOf({ listeners, clusters }))
  return until('it is in force', () => test.line.listening.value.size === listeners.length)
}

interface SlowCaller {
  readonly received: () => string
  readonly over: () => boolean
  /** Lets the rest of the handshake pass. */
  finish(): void
}

/** Its handshake has begun and waits for the caller's second flight. */
async function slowCaller(says: string): Promise<SlowCaller> {
  const held: Buffer[] = []
  let upstream: Socket | undefined
  let flowing = false
  const relay = createServer((socket) => {
    const forward = (upstream = connect(port, '127.0.0.1'))
    for (const one of [socket, forward]) one.on('error', () => {})
    let flights = 0
    socket.on('data', (bytes: Buffer) => {
      if (flights++ === 0 || flowing) forward.write(bytes)
      else held.push(bytes)
    })
    forward.pipe(socket)
    forward.on('close', () => socket.destroy())
    socket.on('close', () => forward.destroy())
  })
  await listenOn(0, relay)
  const socket = connectTls({
    port: (relay.address() as AddressInfo).port,
    host: '127.0.0.1',
    cert: own.certificateChainPem,
    key: own.privateKeyPem,
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
  })
  let received = ''
  let over = false
  socket.on('error', () => {})
  socket.on('data', (bytes: Buffer) => (received += bytes.toString()))
  socket.on('close', () => (over = true))
  socket.write(says)
  closers.push(() => {
    socket.destroy()
    relay.close()
  })
  await until('the handshake is under way', () => held.length > 0)
  return {
    received: () => received,
    over: () => over,
    finish() {
      flowing = true
      for (const bytes of held.splice(0)) upstream?.write(bytes)
    },
  }
}

it('a connection of bytes is decided about by the policies that hold when its handshake is over', async () => {
  await put(tcp(rules('ALLOW', 'before')))
  const refused = await slowCaller('')
  await put(tcp(rules('DENY', 'edited')))
  refused.finish()
  await until('it is refused', () => refused.over())
  assert.equal(refused.received(), '')
  assert.equal(test.exchanges.at(-1)?.authorization?.policy, 'AuthorizationPolicy/default/edited/0')
  const allowed = await slowCaller('')
  await put(tcp(rules('ALLOW', 'again')))
  allowed.finish()
  await until('it is carried', () => allowed.received().includes('220 ready'))
})

it('so is a request', async () => {
  await put(http(rules('ALLOW', 'before')))
  const caller = await slowCaller('GET / HTTP/1.1\r\nHost: app\r\n\r\n')
  await put(http(rules('DENY', 'edited')))
  caller.finish()
  await until('it is answered', () => caller.received().includes('RBAC: access denied'))
  assert.match(caller.received(), /^HTTP\/1\.1 403 /)
})

it('a request whose listener is gone when its handshake is over passes the filters that were there', async () => {
  await put(http(rules('DENY', 'before')))
  const caller = await slowCaller('GET / HTTP/1.1\r\nHost: app\r\n\r\n')
  await put(undefined)
  // other listeners come and go meanwhile
  await put(undefined)
  caller.finish()
  await until('it is answered', () => caller.received().includes('\r\n\r\n') || caller.over())
  assert.match(caller.received(), /^HTTP\/1\.1 403 /)
  assert.equal(test.exchanges.at(-1)?.authorization?.policy, 'AuthorizationPolicy/default/before/0')
})

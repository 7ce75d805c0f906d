// TLS at a listener outside the mesh's own: passed through by SNI, or terminated with certificates given by name.
import assert from 'node:assert/strict'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'
import {
  connect as tlsConnect,
  type ConnectionOptions,
  createServer as createTlsServer,
  type TLSSocket,
} from 'node:tls'

import type {
  ClusterConfig,
  FilterChainConfig,
  ListenerConfig,
  SecretConfig,
} from '../../src/proxy/runtime/runtime-config.ts'
import { handshakeOf, helloOf, recordsOf } from '../kit/client-hellos.ts'
import { rawClient } from '../kit/raw-client.ts'
import {
  clusterOf,
  configOf,
  freePort,
  httpChain,
  listenerWith,
  routesTo,
  startLine,
  tcpChain,
  type TestLine,
} from '../kit/request-line.ts'
import { testAuthority } from '../kit/svids.ts'
import { until } from '../kit/until.ts'
import { webCertificate } from '../kit/web-certificates.ts'

const lines: TestLine[] = []
const servers: Server[] = []
const sockets = new Set<Socket>()
const authority = testAuthority()
const certificates = {
  a: webCertificate('a.test'),
  b: webCertificate('b.test', '*.b.test'),
}
let applicationPort = 0

before(async () => {
  applicationPort = await listen(
    createHttpServer((request, response) => response.end(`served ${request.headers.host}`)),
  )
})

afterEach(async () => {
  await Promise.all(lines.splice(0).map(({ line }) => line.stop()))
})

after(() => {
  for (const socket of sockets) socket.destroy()
  for (const server of servers) server.close()
  authority.remove()
})

async function listen(server: Server): Promise<number> {
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  servers.push(server)
  return (server.address() as AddressInfo).port
}

/** A TLS server of its own that says who it is. */
function tlsBackend(name: keyof typeof certificates): Promise<number> {
  const { certificateChainPem, privateKeyPem } = certificates[name]
  return listen(
    createTlsServer({ cert: certificateChainPem, key: privateKeyPem, ALPNProtocols: ['x'] }, (socket) => {
      socket.on('error', () => {}).end(`${name} ${socket.servername} ${socket.alpnProtocol}`)
    }),
  )
}

async function start(
  filterChains: readonly FilterChainConfig[],
  clusters: readonly ClusterConfig[],
  secrets: Readonly<Record<string, SecretConfig>> = {},
  changes: Partial<ListenerConfig> = {},
): Promise<{ test: TestLine; port: number }> {
  const port = await freePort()
  const listener = listenerWith(port, filterChains, { name: 'gateway', direction: 'gateway', ...changes })
  const test = await startLine(
    configOf({ listeners: [listener], clusters, secrets, routes: [routesTo('application')] }),
  )
  lines.push(test)
  return { test, port }
}

function handshake(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options }, () => resolve(socket))
    socket.on('error', reject)
  })
}

async function textOf(socket: TLSSocket): Promise<string> {
  let text = ''
  for await (const bytes of socket) text += String(bytes)
  return text
}

async function get(socket: TLSSocket, host: string): Promise<string> {
  socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  return textOf(socket)
}

const namesOf = (socket: TLSSocket): string | undefined => socket.getPeerX509Certificate()?.subjectAltName

function terminating(secrets: readonly string[], alpn = ['http/1.1']): Partial<FilterChainConfig> {
  return { tls: { kind: 'terminate', secrets, alpn } }
}
const routed = { kind: 'rds', name: 'routes' } as const
const applicationCluster = (): ClusterConfig => clusterOf('application', [{ port: applicationPort }])

const passedTo = async (): Promise<ClusterConfig[]> => [
  clusterOf('a', [{ port: await tlsBackend('a') }]),
  clusterOf('b', [{ port: await tlsBackend('b') }]),
]

describe('TLS passed through', () => {
  const passing = [
    tcpChain('a', { transport: 'tls', serverNames: ['a.test'] }),
    tcpChain('b', { transport: 'tls', serverNames: ['*.b.test'] }),
  ]
  it('goes by its server name to a server that ends it', async () => {
    const { test, port } = await start(passing, await passedTo())
    const [toA, toB] = [
      await handshake(port, { servername: 'a.test', ca: certificates.a.certificateChainPem, rejectUnauthorized: true }),
      await handshake(port, { servername: 'X.b.test', ALPNProtocols: ['x'] }),
    ]
    assert.deepEqual([await textOf(toA), await textOf(toB)], ['a a.test false', 'b X.b.test x'])
    await until('both are told of', () => test.exchanges.length === 2)
    assert.deepEqual(test.exchanges.map(({ cluster, request }) => `${cluster} ${request.authority}`).toSorted(), [
      'a a.test',
      'b x.b.test',
    ])
  })

  it('is refused for other names, and without one', async () => {
    const { test, port } = await start(passing, await passedTo())
    await assert.rejects(handshake(port, { servername: 'c.test' }))
    await assert.rejects(handshake(port, {}))
    const reason = 'TLS for a name or protocol that is not served here'
    assert.deepEqual(test.refused, [reason, reason])
  })

  it('forwards the ClientHello untouched, in whatever pieces it came', async () => {
    let received = Buffer.alloc(0)
    const raw = await listen(
      createServer((socket) => socket.on('data', (bytes) => (received = Buffer.concat([received, bytes])))),
    )
    const { port } = await start(passing, [clusterOf('a', [{ port: raw }])])
    const hello = recordsOf(handshakeOf(helloOf({ serverName: 'a.test', alpn: ['h2'] })), 9)
    const client = await rawClient(port)
    for (const byte of hello) client.write(Uint8Array.of(byte))
    client.write('what follows')
    const sent = Buffer.concat([hello, Buffer.from('what follows')])
    await until('all has come', () => received.length === sent.length)
    assert.deepEqual(received, sent)
    client.socket.destroy()
  })

  it('refuses what begins like TLS and is not', async () => {
    const { test, port } = await start(passing, await passedTo())
    for (const bytes of ['160301000402000000', '1603010000', `1603014000${'00'.repeat(100)}`]) {
      const client = await rawClient(port)
      client.write(Buffer.from(bytes, 'hex'))
      await client.closed()
    }
    assert.equal(test.refused.length, 3)
  })
})

describe('TLS terminated', () => {
  it('shows the certificate that is for the server name, else the first', async () => {
    const chain = httpChain(routed, { transport: 'tls' }, terminating(['a', 'b']))
    const { port, test } = await start([chain], [applicationCluster()], certificates)
    const shown: Record<string, string | undefined> = {}
    for (const servername of ['a.test', 'b.test', 'x.b.test', 'c.test', 'y.x.b.test']) {
      const socket = await handshake(port, { servername })
      shown[servername] = namesOf(socket)
      assert.match(await get(socket, servername), new RegExp(`served ${servername}`))
    }
    const [a, b] = ['DNS:a.test', 'DNS:b.test, DNS:*.b.test']
    assert.deepEqual(shown, { 'a.test': a, 'b.test': b, 'x.b.test': b, 'c.test': a, 'y.x.b.test': a })
    assert.equal(test.exchanges[0]?.mtls, false)
  })

  it('shows a renewed certificate from the next handshake on', async () => {
    const chain = httpChain(routed, { transport: 'tls' }, terminating(['a']))
    const { port, test } = await start([chain], [applicationCluster()], certificates)
    const early = await handshake(port, { servername: 'a.test' })
    test.runtime.set({ ...test.runtime.value, secrets: new Map([['a', webCertificate('renewed.test')]]) })
    const renewed = await handshake(port, { servername: 'a.test' })
    assert.equal(namesOf(renewed), 'DNS:renewed.test')
    assert.match(await get(early, 'a.test'), /served a.test/)
    renewed.destroy()
  })

  it('refuses, and counts, while a certificate is missing', async () => {
    const chain = httpChain(routed, { transport: 'tls' }, terminating(['later']))
    const { port, test } = await start([chain], [applicationCluster()])
    await assert.rejects(handshake(port, { servername: 'a.test' }))
    assert.deepEqual(test.refused, ['a certificate of this listener is missing: later'])
    assert.equal(test.openConnections(), 0)
    test.runtime.set({ ...test.runtime.value, secrets: new Map([['later', certificates.a]]) })
    const socket = await handshake(port, { servername: 'a.test' })
    assert.match(await get(socket, 'a.test'), /200/)
  })

  it('takes requests for https, and says so to the application', async () => {
    const echo = await listen(
      createHttpServer((request, response) => response.end(`came by ${String(request.headers['x-forwarded-proto'])}`)),
    )
    const chain = httpChain(routed, { transport: 'tls' }, terminating(['a']))
    const { port } = await start([chain], [clusterOf('application', [{ port: echo }])], certificates)
    assert.match(await get(await handshake(port, { servername: 'a.test' }), 'a.test'), /came by https/)
    const absolute = await handshake(port, { servername: 'a.test' })
    absolute.write('GET https://a.test/ HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n')
    assert.match(await textOf(absolute), /came by https/)
  })

  it('opens it for opaque bytes too', async () => {
    const echo = await listen(createServer((socket) => void socket.pipe(socket)))
    const chain = tcpChain('echo', { transport: 'tls' }, terminating(['a'], []))
    const { port } = await start([chain], [clusterOf('echo', [{ port: echo }])], certificates)
    const socket = await handshake(port, { servername: 'a.test' })
    socket.end('through and back')
    assert.equal(await textOf(socket), 'through and back')
  })

  it('asks again which chain serves a connection when the configuration changes', async () => {
    const chain = httpChain(routed, { transport: 'tls', serverNames: ['a.test'] }, terminating(['a']))
    const { port, test } = await start([chain], [applicationCluster()], certificates)
    const socket = await handshake(port, { servername: 'a.test' })
    socket.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
    await until('the first was served', () => test.exchanges.length === 1)
    const other = { ...chain, match: { ...chain.match, serverNames: ['b.test'] } }
    const [listener] = test.runtime.value.listeners.values()
    assert.ok(listener)
    const listeners = new Map([['gateway', { ...listener, filterChains: [other] }]])
    test.runtime.set({ ...test.runtime.value, listeners })
    assert.match(await get(socket, 'a.test'), /^HTTP\/1.1 200 [^]*HTTP\/1.1 403 /)
  })
})

describe('a listener that looks at nothing', () => {
  const blind = { inspect: { tls: false, http: false } }

  it('serves its first chain: HTTP of either kind of start, or TLS', async () => {
    const plain = await start([httpChain(routed)], [applicationCluster()], {}, blind)
    const client = await rawClient(plain.port)
    client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    assert.match(await client.closed(), /served a/)
    const h2c = await rawClient(plain.port)
    h2c.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    await until('HTTP/2 is told apart', () => plain.test.refused.length === 1 || h2c.received() !== '')
    assert.doesNotMatch(h2c.received(), /^HTTP/)
    h2c.socket.destroy()

    const chain = httpChain(routed, { transport: 'tls', serverNames: ['a.test'] }, terminating(['b', 'a']))
    const secured = await start([chain], [applicationCluster()], certificates, blind)
    const socket = await handshake(secured.port, { servername: 'a.test' })
    assert.match(await get(socket, 'a.test'), /served a.test/)
  })
})

describe('opaque bytes between sidecars', () => {
  it('go by mutual TLS, a server that speaks first included', async () => {
    const [web, database] = ['spiffe://mesh.local/ns/default/sa/web', 'spiffe://mesh.local/ns/default/sa/database']
    const application = await listen(
      createServer({ allowHalfOpen: true }, (socket) => {
        socket.write('greetings ')
        socket.pipe(socket)
      }),
    )
    const [outboundPort, inboundPort] = [await freePort(), await freePort()]
    const inbound = tcpChain(
      'inbound',
      { transport: 'tls', applicationProtocols: ['heddle-tcp'] },
      { tls: { kind: 'mesh', requireClientCertificate: true, alpn: ['heddle-tcp', 'http/1.1'] } },
    )
    const server = await startLine(
      configOf({
        listeners: [listenerWith(inboundPort, [inbound], { name: 'inbound', direction: 'inbound' })],
        clusters: [clusterOf('inbound', [{ port: application }])],
      }),
      { credentials: authority.issue(database) },
    )
    const client = await startLine(
      configOf({
        listeners: [
          listenerWith(outboundPort, [
            httpChain(routed, { applicationProtocols: ['http/1.1'] }),
            tcpChain('database', { transport: 'plaintext' }),
          ]),
        ],
        routes: [routesTo('database')],
        clusters: [clusterOf('database', [{ port: inboundPort, tls: true }], { peerSpiffeIds: [database] })],
      }),
      { credentials: authority.issue(web) },
    )
    lines.push(server, client)
    for (let i = 0; i < 2; i++) {
      const caller = await rawClient(outboundPort)
      await caller.waitFor('greetings ')
      caller.socket.end('and back')
      assert.equal(await caller.closed(), 'greetings and back')
    }
    await until('all is told of', () => server.exchanges.length === 2 && client.exchanges.length === 2)
    assert.equal(server.exchanges[0]?.sourcePrincipal, web)
    assert.equal(client.exchanges[0]?.destinationPrincipal, database)
  })
})

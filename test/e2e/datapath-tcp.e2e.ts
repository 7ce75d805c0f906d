// Opaque bytes through a proxy: who speaks first, half-closes, backpressure, failures, and what is told of it.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createH2Server } from 'node:http2'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { after, afterEach, describe, it } from 'node:test'

import type { FilterChainConfig, ListenerConfig } from '../../src/proxy/runtime/runtime-config.ts'
import { send } from '../kit/http-client.ts'
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
import { until } from '../kit/until.ts'

const lines: TestLine[] = []
const servers: { close(): unknown }[] = []
const sockets = new Set<Socket>()

afterEach(async () => {
  await Promise.all(lines.splice(0).map(({ line }) => line.stop()))
})

after(() => {
  for (const socket of sockets) socket.destroy()
  for (const server of servers) server.close()
})

async function serve(onConnection: (socket: Socket) => void, allowHalfOpen = true): Promise<number> {
  return listen(createServer({ allowHalfOpen }, onConnection))
}

async function listen(server: Server): Promise<number> {
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  servers.push(server)
  return (server.address() as AddressInfo).port
}

const banner = '5.7.0-a-database\n'
const greets = (socket: Socket): void => {
  socket.write(banner)
  socket.pipe(socket)
}

/** Nothing is inspected: declared as opaque. */
const opaque: Partial<ListenerConfig> = { inspect: { tls: false, http: false } }

async function start(
  upstreamPorts: readonly number[],
  changes: Partial<ListenerConfig> = {},
  chains: readonly FilterChainConfig[] = [tcpChain('upstream')],
): Promise<{ test: TestLine; port: number }> {
  const port = await freePort()
  const cluster = clusterOf(
    'upstream',
    upstreamPorts.map((one) => ({ port: one })),
    { service: { namespace: 'default', name: 'upstream' } },
  )
  const listeners = [listenerWith(port, chains, changes)]
  const test = await startLine(configOf({ listeners, clusters: [cluster], routes: [routesTo('upstream')] }))
  lines.push(test)
  return { test, port }
}

/** An undeclared port: HTTP is served as such, all else is opaque. Detection would wait for ever. */
const undeclared = [
  httpChain({ kind: 'rds', name: 'routes' }, { applicationProtocols: ['http/1.1', 'h2c'] }),
  tcpChain('upstream'),
]

const elapsedMs = async (work: () => Promise<unknown>): Promise<number> => {
  const startMs = performance.now()
  await work()
  return performance.now() - startMs
}

describe('a port declared as opaque', () => {
  it('joins caller and endpoint at once, both ways, and tells of it', async () => {
    const { test, port } = await start([await serve(greets)], opaque)
    const client = await rawClient(port)
    await client.waitFor(banner)
    client.write('GET / HTTP/1.1\r\n\r\n')
    assert.equal(await client.waitFor('\r\n\r\n'), `${banner}GET / HTTP/1.1\r\n\r\n`)
    assert.equal(test.tcp.opened, 1)
    client.socket.end()
    await client.closed()
    await until('it is told of', () => test.exchanges.length === 1)
    const [exchange] = test.exchanges
    assert.deepEqual(
      [exchange?.protocol, exchange?.cluster, exchange?.destinationService, exchange?.flags, exchange?.attempts.length],
      ['TCP', 'upstream', 'upstream.default.svc.cluster.local', [], 1],
    )
    assert.deepEqual([exchange?.requestBytes, exchange?.responseBytes], [18, 18 + banner.length])
    assert.deepEqual({ ...test.tcp }, { opened: 1, closed: 1, failed: 0, sentBytes: 18, receivedBytes: 35 })
    await until('all is closed', () => test.openConnections() === 0)
  })

  it('carries a half-close each way', async () => {
    const upstream = await serve((socket) => {
      let received = ''
      socket.on('data', (bytes) => (received += String(bytes))).on('end', () => socket.end(`got ${received}`))
    })
    const { port } = await start([upstream], opaque)
    const client = await rawClient(port)
    client.socket.end('all of it')
    assert.equal(await client.closed(), 'got all of it')

    const ending = await start([await serve((socket) => socket.end('bye').on('data', () => {}))], opaque)
    const other = await rawClient(ending.port)
    assert.equal(await other.closed(), 'bye')
    other.socket.end('still here')
    await until('it is over', () => ending.test.exchanges.length === 1)
    assert.equal(ending.test.exchanges[0]?.requestBytes, 'still here'.length)
  })

  it('passes a reset on', async () => {
    const { test, port } = await start(
      [await serve((socket) => socket.once('data', () => socket.resetAndDestroy()))],
      opaque,
    )
    const client = await rawClient(port)
    let error = ''
    client.socket.on('error', (failure: NodeJS.ErrnoException) => (error = failure.code ?? ''))
    client.write('x')
    await until('the caller is reset', () => error === 'ECONNRESET')
    await until('it is told of', () => test.exchanges.length === 1)
    assert.deepEqual(test.exchanges[0]?.flags, ['UC'])
  })

  it('carries much, unharmed, both ways at once', async () => {
    const { port } = await start([await serve((socket) => void socket.pipe(socket))], opaque)
    const sent = randomBytes(32 * 1_048_576)
    const socket = connect(port, '127.0.0.1')
    socket.end(sent)
    const received = createHash('sha256')
    for await (const bytes of socket) received.update(bytes as Buffer)
    assert.equal(received.digest('hex'), createHash('sha256').update(sent).digest('hex'))
  })

  it('reads no faster than the other side takes', async () => {
    let upstream: Socket | undefined
    const { test, port } = await start([await serve((socket) => (upstream = socket.pause()))], opaque)
    const socket = connect(port, '127.0.0.1')
    sockets.add(socket)
    socket.write(randomBytes(64 * 1_048_576))
    await until('the endpoint has the connection', () => upstream !== undefined)
    // What is counted was read: the two sockets' buffers of the kernel and little more.
    let last = -1
    await until('nothing moves any more', () => {
      const still = last === test.tcp.sentBytes && last > 0
      last = test.tcp.sentBytes
      return still
    })
    assert.ok(test.tcp.sentBytes < 32 * 1_048_576, `${test.tcp.sentBytes} bytes read`)
    upstream?.resume()
    await until('the rest came', () => upstream?.bytesRead === 64 * 1_048_576, 20_000)
    socket.destroy()
  })

  it('tries another endpoint when one cannot be reached', async () => {
    const [dead, live] = [await freePort(), await serve(greets)]
    const { test, port } = await start([dead, live], opaque)
    for (let i = 0; i < 6; i++) {
      const client = await rawClient(port)
      await client.waitFor(banner)
      client.socket.end()
    }
    await until('all are told of', () => test.exchanges.length === 6)
    assert.ok(test.exchanges.some(({ attempts }) => attempts.length === 2))
    assert.equal(test.tcp.failed, 0)
  })

  it('resets the caller when no endpoint can be reached', async () => {
    const { test, port } = await start([await freePort()], opaque)
    const client = await rawClient(port)
    await client.closed()
    await until('it is told of', () => test.exchanges.length === 1)
    assert.deepEqual(test.exchanges[0]?.flags, ['UF'])
    assert.match(test.exchanges[0]?.detail ?? '', /ECONNREFUSED/)
    assert.deepEqual([test.tcp.opened, test.tcp.failed], [0, 1])
  })

  it('draws among backends by weight', async () => {
    const port = await freePort()
    const backends = [
      { cluster: 'a', weight: 3 },
      { cluster: 'b', weight: 1 },
      { cluster: 'c', weight: 0 },
    ]
    const chain = tcpChain('', {}, { filter: { kind: 'tcp', backends, route: 'TCPRoute/default/split/0' } })
    const clusters = await Promise.all(
      ['a', 'b', 'c'].map(async (name) => clusterOf(name, [{ port: await serve((socket) => void socket.end(name)) }])),
    )
    const test = await startLine(configOf({ listeners: [listenerWith(port, [chain], opaque)], clusters }))
    lines.push(test)
    const seen: Record<string, number> = {}
    for (let i = 0; i < 80; i++) {
      const client = await rawClient(port)
      const name = await client.closed()
      seen[name] = (seen[name] ?? 0) + 1
      client.socket.destroy()
    }
    assert.deepEqual(Object.keys(seen).toSorted(), ['a', 'b'])
    assert.ok((seen['a'] ?? 0) > 45 && (seen['b'] ?? 0) > 8, JSON.stringify(seen))
    assert.equal(test.exchanges[0]?.route?.name, 'TCPRoute/default/split/0')
    assert.equal(test.exchanges[0]?.split?.total, 4)
  })

  it('lets open connections go on when the listener is removed, until the deadline', async () => {
    const { test, port } = await start([await serve(greets)], opaque)
    const client = await rawClient(port)
    await client.waitFor(banner)
    const { clusters } = test.runtime.value
    test.runtime.set({ ...test.runtime.value, listeners: new Map(), clusters: new Map(clusters) })
    client.write('after')
    await client.waitFor('after')
    await test.line.drain(50)
    await client.closed()
  })
})

describe('a port of an undeclared protocol', () => {
  it('brings the greeting of a server that speaks first, without a word of the client', async () => {
    const { test, port } = await start([await serve(greets)], {}, undeclared)
    for (let i = 0; i < 3; i++) {
      const client = await rawClient(port)
      assert.ok((await elapsedMs(() => client.waitFor(banner))) < 2_000)
      client.write('query')
      await client.waitFor('query')
      client.socket.end()
    }
    await until('all are told of', () => test.exchanges.length === 3)
    assert.deepEqual(test.refused, [])
    assert.equal(test.upstreamConnections(), 3)
  })

  it('serves HTTP as HTTP, and wastes a connection once', async () => {
    let accepted = 0
    const server = createHttpServer((_, response) => void response.end('served'))
    server.on('connection', () => accepted++)
    const { test, port } = await start([await listen(server)], {}, undeclared)
    for (let i = 0; i < 5; i++) {
      const response = await send({ address: `127.0.0.1:${port}`, target: '/', headers: { host: 'a' } })
      assert.equal(response.body, 'served')
    }
    assert.deepEqual(new Set(test.exchanges.map(({ protocol }) => protocol)), new Set(['HTTP/1.1']))
    assert.ok(accepted <= 2, `${accepted} connections`)
  })

  it('greets even where HTTP was seen before', async () => {
    const { test, port } = await start([await serve(greets)], {}, undeclared)
    const probe = await rawClient(port)
    probe.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await until('the probe is over', () => test.exchanges.length === 1)
    probe.socket.destroy()
    const client = await rawClient(port)
    assert.ok((await elapsedMs(() => client.waitFor(banner))) < 2_000)
    client.socket.destroy()
  })

  it('does not take the first frame of an HTTP/2 server for a greeting', async () => {
    const server = createH2Server()
    let accepted = 0
    server.on('connection', () => accepted++)
    const { port } = await start([await listen(server)], {}, undeclared)
    const client = await rawClient(port)
    await until('the server was dialled', () => accepted === 1)
    client.write('GET / HTTP/1.0\r\nHost: a\r\nConnection: close\r\n\r\n')
    assert.match(await client.closed(), /^HTTP\/1\.[01] /)
    client.socket.destroy()
  })

  it('joins a client that speaks first in no known protocol, with what it has said', async () => {
    const { port } = await start([await serve((socket) => void socket.pipe(socket))], {}, undeclared)
    const client = await rawClient(port)
    client.write('\x00\x01hello')
    await client.waitFor('\x00\x01hello')
    client.socket.end()
    await client.closed()
  })

  it('joins a client that ends its side without a word', async () => {
    const upstream = await serve((socket) => socket.on('data', () => {}).on('end', () => socket.end('the time is now')))
    const { port } = await start([upstream], {}, undeclared)
    const client = await rawClient(port)
    client.socket.end()
    assert.equal(await client.closed(), 'the time is now')
  })

  it('lets go of the early connection when the client leaves', async () => {
    let open = 0
    const upstream = await serve((socket) => {
      open++
      socket
        .resume()
        .on('end', () => socket.end())
        .on('close', () => open--)
    })
    const { test, port } = await start([upstream], {}, undeclared)
    const client = await rawClient(port)
    await until('the server was dialled', () => open === 1)
    client.socket.resetAndDestroy()
    await until('all is closed', () => open === 0 && test.openConnections() === 0)
  })

  it('gives a client half a second to begin TLS where it may, and then lets the server greet it', async () => {
    const { test, port } = await start([await serve(greets)], { detectTimeoutMs: 60_000 }, [
      tcpChain('nobody', { transport: 'tls' }),
      tcpChain('upstream', { transport: 'plaintext' }),
    ])
    for (let i = 0; i < 2; i++) {
      const client = await rawClient(port)
      const tookMs = await elapsedMs(() => client.waitFor(banner))
      assert.ok(tookMs > 400 && tookMs < 2_000, `${tookMs} ms`)
      client.socket.end()
    }
    const late = await rawClient(port)
    await new Promise((resolve) => setTimeout(resolve, 100))
    late.write(Buffer.from('1603010005010000010303', 'hex'))
    assert.equal(await late.closed(), '')
    await until('all are told of', () => test.exchanges.length === 3)
    assert.equal(test.upstreamConnections(), 2)
  })

  it('serves what is unknown when time is up, and closes where nothing serves it', async () => {
    const silent = await start([await serve(greets)], { detectTimeoutMs: 50 }, [
      httpChain({ kind: 'rds', name: 'routes' }, { applicationProtocols: ['http/1.1'] }),
      // Beside TLS nobody is dialled at once.
      tcpChain('upstream', { transport: 'tls' }),
      tcpChain('upstream', { transport: 'plaintext' }),
    ])
    const client = await rawClient(silent.port)
    assert.ok((await elapsedMs(() => client.waitFor(banner))) > 40)
    client.socket.destroy()

    const strict = await start([await serve(greets)], { detectTimeoutMs: 50 }, [
      httpChain({ kind: 'rds', name: 'routes' }, { applicationProtocols: ['http/1.1'] }),
    ])
    const unknown = await rawClient(strict.port)
    unknown.write('GE')
    await unknown.closed()
    assert.deepEqual(strict.test.refused, ['a protocol that is not served here'])
  })
})

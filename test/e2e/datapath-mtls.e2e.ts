// Mutual TLS between two request lines: both sides are who they say, or nothing passes.
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'
import { connect as tlsConnect, type ConnectionOptions, type TLSSocket } from 'node:tls'

import type { TlsCredentials } from '../../src/proxy/io/connection.ts'
import { send, type WireResponse } from '../kit/http-client.ts'
import { rawClient } from '../kit/raw-client.ts'
import { clusterOf, configOf, freePort, listenerOn, routesTo, startLine, type TestLine } from '../kit/request-line.ts'
import { SteadyLoad } from '../kit/steady-load.ts'
import { testAuthority } from '../kit/svids.ts'
import { until } from '../kit/until.ts'

const web = 'spiffe://mesh.local/ns/default/sa/web'
const reviews = 'spiffe://mesh.local/ns/default/sa/reviews'
const authority = testAuthority()
const foreign = testAuthority()
let application: Server
/** Requests that reached it. */
let served = 0
const running: TestLine[] = []

before(async () => {
  application = createServer((incoming, response) => {
    served++
    incoming.resume().on('end', () => response.end(JSON.stringify(incoming.headers)))
  })
  await new Promise<void>((resolve) => application.listen(0, '127.0.0.1', resolve))
})

afterEach(async () => {
  await Promise.all(running.splice(0).map((test) => test.line.stop()))
})

after(() => {
  application.closeAllConnections()
  application.close()
  authority.remove()
  foreign.remove()
})

interface Pair {
  readonly client: TestLine
  readonly server: TestLine
  readonly outboundPort: number
  readonly inboundPort: number
  readonly call: (headers?: Record<string, string>) => Promise<WireResponse>
}

interface PairOptions {
  readonly clientCredentials?: TlsCredentials | undefined
  readonly serverCredentials?: TlsCredentials
  readonly expected?: readonly string[]
  readonly permissive?: boolean
}

async function startPair(options: PairOptions = {}): Promise<Pair> {
  const { expected = [reviews], serverCredentials = authority.issue(reviews), permissive = false } = options
  const [outboundPort, inboundPort] = [await freePort(), await freePort()]
  const routeConfiguration = routesTo('inbound|9080')
  const strict = listenerOn(
    inboundPort,
    { kind: 'inline', routeConfiguration },
    {
      name: 'inbound|9080',
      direction: 'inbound',
      tls: { kind: 'mesh', requireClientCertificate: true, alpn: ['http/1.1'] },
    },
  )
  const [chain] = strict.filterChains
  assert.ok(chain)
  const plaintext = { ...chain, match: { ...chain.match, transport: 'plaintext' } } as const
  const { tls: _, ...withoutTls } = plaintext
  const server = await startLine(
    configOf({
      listeners: [permissive ? { ...strict, filterChains: [chain, withoutTls] } : strict],
      clusters: [clusterOf('inbound|9080', [{ port: (application.address() as AddressInfo).port }])],
    }),
    { credentials: serverCredentials },
  )
  const credentials = 'clientCredentials' in options ? options.clientCredentials : authority.issue(web)
  const client = await startLine(
    configOf({
      listeners: [listenerOn(outboundPort, { kind: 'rds', name: 'routes' })],
      routes: [routesTo('reviews')],
      clusters: [clusterOf('reviews', [{ port: inboundPort, tls: true }], { peerSpiffeIds: expected })],
    }),
    credentials === undefined ? {} : { credentials },
  )
  running.push(client, server)
  const call = (headers = {}): Promise<WireResponse> =>
    send({ address: `127.0.0.1:${outboundPort}`, target: '/', headers: { host: 'reviews', ...headers } })
  return { client, server, outboundPort, inboundPort, call }
}

function handshake(options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = tlsConnect({ host: '127.0.0.1', checkServerIdentity: () => undefined, ...options }, () =>
      resolve(socket),
    )
    socket.on('error', reject)
  })
}

/** What comes back for one request, or the reason why nothing does. */
async function answerOver(options: ConnectionOptions): Promise<string> {
  let text = ''
  try {
    const socket = await handshake(options)
    socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    for await (const bytes of socket) text += String(bytes)
    return text
  } catch (error) {
    return (error as Error).message
  }
}

function clientOptions(port: number, credentials: TlsCredentials): ConnectionOptions {
  const { certificateChainPem, privateKeyPem, rootsPem } = credentials
  return { port, cert: certificateChainPem, key: privateKeyPem, ca: rootsPem }
}

describe('mutual TLS', () => {
  it('carries requests, and both sides know each other', async () => {
    const { client, server, call } = await startPair()
    for (let i = 0; i < 3; i++) assert.equal((await call()).status, 200)
    assert.equal(server.exchanges[0]?.sourcePrincipal, web)
    assert.equal(server.exchanges[0]?.mtls, true)
    assert.equal(client.exchanges[0]?.destinationPrincipal, reviews)
    assert.equal(client.upstreamConnections(), 1)
  })

  it('lets nobody say whose certificate was seen', async () => {
    const { call } = await startPair()
    const seen = JSON.parse(
      (await call({ 'x-forwarded-client-cert': 'URI=spiffe://mesh.local/ns/default/sa/admin' })).body,
    )
    assert.equal(seen['x-forwarded-client-cert'], undefined)
  })

  it('refuses a server that is somebody else', async () => {
    const { client, server, call } = await startPair({ expected: ['spiffe://mesh.local/ns/default/sa/payment'] })
    served = 0
    const response = await call()
    assert.equal(response.status, 503)
    assert.match(
      response.body,
      /the peer is spiffe:\/\/mesh.local\/ns\/default\/sa\/reviews, expected spiffe:\S+payment/,
    )
    assert.ok(client.exchanges.at(-1)?.flags.includes('UF'))
    assert.equal(served, 0)
    await until('the server sees them go', () => server.openConnections() === 0)
  })

  it('refuses a server of another authority, and one without an expectation', async () => {
    const other = await startPair({ serverCredentials: foreign.issue(reviews) })
    assert.equal((await other.call()).status, 503)
    const nobody = await startPair({ expected: [] })
    assert.match((await nobody.call()).body, /expected nobody/)
  })

  it('says when there is no certificate yet', async () => {
    const { client, call } = await startPair({ clientCredentials: undefined })
    assert.match((await call()).body, /no certificate yet/)
    client.credentials.set(authority.issue(web))
    assert.equal((await call()).status, 200)
  })

  it('refuses clients without a certificate, of another authority, and of an old protocol', async () => {
    const { server, inboundPort } = await startPair()
    served = 0
    const good = clientOptions(inboundPort, authority.issue(web))
    assert.match(await answerOver(good), /^HTTP\/1.1 200/)
    assert.doesNotMatch(await answerOver({ port: inboundPort, ca: good.ca }), /^HTTP/)
    assert.doesNotMatch(await answerOver({ ...clientOptions(inboundPort, foreign.issue(web)), ca: good.ca }), /^HTTP/)
    assert.match(await answerOver({ ...good, maxVersion: 'TLSv1.2' }), /protocol|version|alert/i)
    assert.equal(served, 1)
    await until('all three are counted', () => server.refused.length === 3)
    assert.ok(server.refused.every((reason) => reason.startsWith('TLS handshake failed: ')))
    await until('nothing stays open', () => server.openConnections() === 0)
  })

  it('refuses plaintext where mutual TLS is demanded, and takes it where it is permitted', async () => {
    const strict = await startPair()
    served = 0
    const client = await rawClient(strict.inboundPort)
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    assert.equal(await client.closed(), '')
    assert.deepEqual(strict.server.refused, ['plaintext on a listener that demands mutual TLS'])
    assert.equal(served, 0)
    const permissive = await startPair({ permissive: true })
    const response = await send({ address: `127.0.0.1:${permissive.inboundPort}`, target: '/' })
    assert.equal(response.status, 200)
    assert.equal(permissive.server.exchanges[0]?.mtls, false)
    assert.equal((await permissive.call()).status, 200)
    assert.equal(permissive.server.exchanges[1]?.mtls, true)
  })

  it('refuses TLS that is broken from the start, and what stops in the middle', async () => {
    const { server, inboundPort } = await startPair()
    const broken = await rawClient(inboundPort)
    broken.write(Buffer.from('160301000501000000ff', 'hex'))
    await broken.closed()
    const half = await rawClient(inboundPort)
    half.write(Buffer.from('16030100', 'hex'))
    half.socket.end()
    await half.closed()
    await until('both are gone', () => server.openConnections() === 0)
    assert.equal(server.refused.length, 2)
  })

  it('never resumes a session', async () => {
    const { inboundPort } = await startPair()
    const options = clientOptions(inboundPort, authority.issue(web))
    let session: Buffer | undefined
    const first = await handshake(options)
    first.on('session', (ticket: Buffer) => (session = ticket))
    first.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await new Promise((resolve) => first.once('data', resolve))
    session ??= first.getSession()
    first.destroy()
    assert.ok(session)
    const second = await handshake({ ...options, session })
    assert.equal(second.isSessionReused(), false)
    second.destroy()
  })

  it('outlives renewals under load, and uses no connection beyond its certificates', async () => {
    const { client, server, outboundPort } = await startPair({
      clientCredentials: authority.issue(web, 2_000),
      serverCredentials: authority.issue(reviews, 2_000),
    })
    const renewal = setInterval(() => {
      client.credentials.set(authority.issue(web, 2_000))
      server.credentials.set(authority.issue(reviews, 2_000))
    }, 700)
    await using load = new SteadyLoad({ url: `http://127.0.0.1:${outboundPort}/`, connections: 4, pauseMs: 5 })
    await new Promise((resolve) => setTimeout(resolve, 5_000))
    const result = await load.stop()
    clearInterval(renewal)
    assert.deepEqual(result.failures, [])
    assert.ok(result.ok > 200)
    assert.ok(client.upstreamConnections() > 4, 'connections were replaced')
    assert.ok(result.connectionsOpened <= 4, 'the callers kept theirs')
  })
})

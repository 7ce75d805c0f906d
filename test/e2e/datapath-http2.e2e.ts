// HTTP/2 through two sidecars: as the link between them, and from and to those who speak it themselves.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { createServer, request as httpRequest, type Server } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server, type Http2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'

import { send } from '../kit/http-client.ts'
import { rawClient } from '../kit/raw-client.ts'
import { type SidecarPair, type SidecarPairOptions, startSidecarPair } from '../kit/sidecar-pair.ts'
import { testAuthority } from '../kit/svids.ts'
import { until } from '../kit/until.ts'

const authority = testAuthority()
const running: SidecarPair[] = []
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
let application: Server
let http2Application: Http2Server

async function startPair(options: Partial<SidecarPairOptions> = {}): Promise<SidecarPair> {
  const pair = await startSidecarPair({ authority, applicationPort: portOf(application), ...options })
  running.push(pair)
  return pair
}

function portOf(server: Server | Http2Server): number {
  return (server.address() as AddressInfo).port
}

before(async () => {
  application = createServer((incoming, response) => {
    if (incoming.url === '/slow') {
      response.write(Buffer.alloc(2_000_000))
      return
    }
    const pieces: Buffer[] = []
    incoming.on('data', (piece: Buffer) => pieces.push(piece))
    incoming.on('end', () => {
      const body = Buffer.concat(pieces)
      const { httpVersion, method, url, headers, trailers } = incoming
      response.setHeader('trailer', 'x-sum')
      response.addTrailers({ 'x-sum': 'after' })
      response.end(
        incoming.url === '/echo'
          ? body
          : JSON.stringify({ httpVersion, method, url, headers, trailers, sum: sha256(body), bytes: body.length }),
      )
    })
  })
  application.on('upgrade', (incoming, socket) => {
    const key = createHash('sha1')
      .update(`${incoming.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64')
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\n\r\n`,
    )
    socket.pipe(socket)
  })
  http2Application = createHttp2Server()
  http2Application.on('stream', (stream, headers) => {
    stream.respond({ ':status': 200, 'x-path': headers[':path'] ?? '' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-trailer': 'last' }))
    stream.pipe(stream)
  })
  for (const server of [application, http2Application]) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  }
})

afterEach(async () => {
  await Promise.all(running.splice(0).map((pair) => pair.stop()))
})

after(() => {
  application.closeAllConnections()
  application.close()
  http2Application.close()
  authority.remove()
})

interface Seen {
  readonly httpVersion: string
  readonly headers: Record<string, string>
  readonly sum: string
  readonly bytes: number
}

function call(port: number, path: string, headers: Record<string, string> = {}): ReturnType<typeof send> {
  return send({ address: `127.0.0.1:${port}`, target: path, headers: { host: 'reviews:9080', ...headers } })
}

describe('HTTP/1.1 over the HTTP/2 link', () => {
  it('reaches the application as HTTP/1.1, over one connection', async () => {
    const pair = await startPair()
    const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => call(pair.port, `/${n}`, { 'x-n': `${n}` })))
    for (const [n, { status, body }] of answers.entries()) {
      assert.equal(status, 200)
      const seen = JSON.parse(body) as Seen
      assert.equal(seen.httpVersion, '1.1')
      assert.equal(seen.headers['x-n'], `${n}`)
      assert.equal(seen.headers['host'], 'reviews:9080')
      assert.equal(seen.headers['x-heddle-spoken'], undefined)
    }
    assert.equal(pair.server.openConnections(), 1)
    assert.deepEqual(new Set(pair.client.exchanges.map(({ protocol }) => protocol)), new Set(['HTTP/1.1']))
    assert.deepEqual(new Set(pair.server.exchanges.map(({ protocol }) => protocol)), new Set(['HTTP/2']))
  })

  it('carries bodies whole, both ways, with and without a length', async () => {
    const pair = await startPair()
    const body = randomBytes(5_000_000)
    for (const headers of [{ 'content-length': `${body.length}` }, { 'transfer-encoding': 'chunked' }]) {
      const echoed = await new Promise<Buffer>((resolve, reject) => {
        const outgoing = httpRequest(
          { host: '127.0.0.1', port: pair.port, path: '/echo', method: 'POST', headers },
          (incoming) => {
            const pieces: Buffer[] = []
            incoming.on('data', (piece: Buffer) => pieces.push(piece))
            incoming.on('end', () => {
              assert.deepEqual(incoming.trailers, { 'x-sum': 'after' })
              resolve(Buffer.concat(pieces))
            })
          },
        )
        outgoing.on('error', reject)
        outgoing.end(body)
      })
      assert.equal(sha256(echoed), sha256(body))
    }
  })

  it('one reader that stalls holds up nobody else', async () => {
    const pair = await startPair()
    const stalled = await rawClient(pair.port)
    stalled.socket.pause()
    stalled.write('GET /slow HTTP/1.1\r\nHost: reviews\r\n\r\n')
    for (let n = 0; n < 50; n++) assert.equal((await call(pair.port, '/')).status, 200)
    assert.equal(pair.server.openConnections(), 1)
    stalled.socket.destroy()
    await until('the stalled request is over', () => pair.client.exchanges.some(({ flags }) => flags.includes('DC')))
    assert.equal((await call(pair.port, '/')).status, 200)
  })

  it('carries a WebSocket', async () => {
    const pair = await startPair()
    const client = await rawClient(pair.port)
    client.write(
      'GET /chat HTTP/1.1\r\nHost: reviews\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    )
    await until('it is accepted', () => client.received().includes('\r\n\r\n'))
    assert.match(client.received(), /^HTTP\/1\.1 101 /)
    assert.match(client.received(), /sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/i)
    client.write('opaque bytes')
    await until('they come back', () => client.received().endsWith('opaque bytes'))
    assert.equal(pair.server.openConnections(), 1)
    client.socket.destroy()
  })
})

async function ask(
  port: number,
  path: string,
  body: Buffer,
): Promise<{ status: number; text: Buffer; trailer: unknown }> {
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  try {
    const stream = session.request({ ':method': 'POST', ':path': path, ':authority': 'reviews:9080' })
    return await new Promise((resolve, reject) => {
      const pieces: Buffer[] = []
      let status = 0
      let trailer: unknown
      stream.on('response', (head) => (status = head[':status'] ?? 0))
      stream.on('trailers', (head) => (trailer = head['x-trailer']))
      stream.on('data', (piece: Buffer) => pieces.push(piece))
      stream.on('error', reject)
      stream.on('end', () => resolve({ status, text: Buffer.concat(pieces), trailer }))
      stream.end(body)
    })
  } finally {
    session.close()
  }
}

describe('a caller that speaks HTTP/2', () => {
  for (const upgradeToHttp2 of [true, false]) {
    it(`reaches an application that speaks it too (HTTP/1.1 ${upgradeToHttp2 ? 'is' : 'is not'} upgraded)`, async () => {
      const pair = await startPair({ applicationPort: portOf(http2Application), upgradeToHttp2 })
      const body = randomBytes(3_000_000)
      const { status, text, trailer } = await ask(pair.port, '/x', body)
      assert.equal(status, 200)
      assert.equal(sha256(text), sha256(body))
      assert.equal(trailer, 'last')
    })
  }

  it('reaches an application that speaks HTTP/1.1 when that is declared', async () => {
    const pair = await startPair({ inbound: { httpProtocol: 'http1' } })
    const { status, text } = await ask(pair.port, '/', Buffer.from('hello'))
    assert.equal(status, 200)
    assert.equal((JSON.parse(text.toString()) as Seen).httpVersion, '1.1')
  })

  it('and one of HTTP/1.1 reaches an application that speaks HTTP/2 when that is declared', async () => {
    const pair = await startPair({ applicationPort: portOf(http2Application), inbound: { httpProtocol: 'http2' } })
    const { status, headers } = await call(pair.port, '/here')
    assert.equal(status, 200)
    assert.equal(headers['x-path'], '/here')
  })
})

describe('a sidecar that goes', () => {
  it('lets open requests of the link finish and takes no others', async () => {
    const pair = await startPair()
    const client = await rawClient(pair.port)
    client.write('GET /slow HTTP/1.1\r\nHost: reviews\r\n\r\n')
    await until('it has begun', () => client.received().includes('200 OK'))
    const drained = pair.server.line.drain(2_000)
    let status = 0
    while (status !== 503) ({ status } = await call(pair.port, '/'))
    // The open one goes on: the rest of what the application sends still comes.
    await until('all of the open one is here', () => client.received().length > 2_000_000)
    client.socket.destroy()
    await drained
  })
})

// The request line over plaintext HTTP/1.1 on real sockets: ordinary traffic between Node's client and server, and raw bytes where those hide things.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import {
  createServer,
  request,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'

import { send } from '../kit/http-client.ts'
import { rawClient } from '../kit/raw-client.ts'
import { clusterOf, configOf, freePort, listenerOn, routesTo, startLine, type TestLine } from '../kit/request-line.ts'
import { until } from '../kit/until.ts'

let port: number
let test: TestLine
let server: Server
let answer: RequestListener
/** Connections that the application accepted. */
let accepted = 0

before(async () => {
  server = createServer((incoming, response) => answer(incoming, response))
  server.on('connection', () => accepted++)
  server.on('upgrade', (incoming, socket, head: Buffer) => {
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${incoming.headers.upgrade}\r\n\r\n`,
    )
    socket.write(head)
    socket.on('data', (bytes: Buffer) => socket.write(bytes.toString().toUpperCase()))
    socket.on('end', () => socket.end('bye'))
    socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = await freePort()
  test = await startLine(
    configOf({
      listeners: [listenerOn(port, { kind: 'rds', name: 'routes' })],
      routes: [routesTo('app')],
      clusters: [clusterOf('app', [{ port: (server.address() as AddressInfo).port }])],
    }),
  )
})

after(async () => {
  await test.line.stop()
  server.closeAllConnections()
  server.close()
})

const echo: RequestListener = (incoming, response) => {
  const chunks: Buffer[] = []
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
  incoming.on('end', () => {
    response.setHeader('x-method', incoming.method ?? '')
    response.end(Buffer.concat(chunks))
  })
}

function call(options: { method?: string; headers?: Record<string, string> }): Promise<IncomingMessage> & {
  outgoing: ReturnType<typeof request>
} {
  const outgoing = request({ host: '127.0.0.1', port, path: '/', agent: false, ...options })
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.on('response', resolve).on('error', reject)
  })
  return Object.assign(answered, { outgoing })
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

describe('plaintext HTTP/1.1', () => {
  it('forwards a request and its answer, and tells the sink', async () => {
    answer = echo
    const response = await send({ address: `127.0.0.1:${port}`, target: '/a?b=c', method: 'POST', body: 'hello' })
    assert.equal(response.status, 200)
    assert.equal(response.body, 'hello')
    assert.equal(response.headers['x-method'], 'POST')
    const exchange = test.exchanges.at(-1)
    assert.equal(exchange?.status, 200)
    assert.equal(exchange?.requestBytes, 5)
    assert.equal(exchange?.responseBytes, 5)
    assert.equal(exchange?.cluster, 'app')
    assert.deepEqual(exchange?.flags, [])
    assert.equal(exchange?.attempts.length, 1)
  })

  it('adds a request id and the protocol, keeps order and case of the rest', async () => {
    let seen: string[] = []
    answer = (incoming, response) => {
      seen = incoming.rawHeaders
      response.end()
    }
    const client = await rawClient(port)
    client.write(
      'GET / HTTP/1.1\r\nB-b: 1\r\nHost: App.Example\r\nProxy-Connection: keep-alive\r\nA-A: 2\r\nConnection: close\r\n\r\n',
    )
    await client.closed()
    assert.deepEqual(seen.slice(0, 6), ['Host', 'app.example', 'B-b', '1', 'A-A', '2'])
    const names = seen.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase())
    assert.ok(names.includes('x-request-id'))
    assert.ok(names.includes('x-forwarded-proto'))
    assert.ok(!names.includes('proxy-connection'))
  })

  it('uses one upstream connection for requests that follow each other', async () => {
    answer = echo
    await send({ address: `127.0.0.1:${port}`, target: '/' })
    const acceptedBefore = accepted
    for (let i = 0; i < 20; i++) await send({ address: `127.0.0.1:${port}`, target: '/', method: 'POST', body: `${i}` })
    assert.ok(accepted - acceptedBefore <= 1, `${accepted - acceptedBefore} connections`)
  })

  it('passes large bodies both ways unharmed', async () => {
    answer = (incoming, response) => void incoming.pipe(response)
    const body = randomBytes(5_000_000)
    const answered = call({ method: 'POST' })
    answered.outgoing.end(body)
    const received = await bodyOf(await answered)
    assert.equal(createHash('sha256').update(received).digest('hex'), createHash('sha256').update(body).digest('hex'))
  })

  it('passes chunked bodies with trailers both ways', async () => {
    answer = (incoming, response) => {
      response.writeHead(200, { trailer: 'x-sum' })
      incoming.on('data', (chunk) => response.write(chunk))
      incoming.on('end', () => {
        response.addTrailers({ 'x-sum': `got ${incoming.trailers['x-up']}` })
        response.end()
      })
    }
    const answered = call({ method: 'POST', headers: { trailer: 'x-up' } })
    answered.outgoing.write('one ')
    answered.outgoing.write('two')
    answered.outgoing.addTrailers({ 'x-up': 'yes' })
    answered.outgoing.end()
    const response = await answered
    assert.equal((await bodyOf(response)).toString(), 'one two')
    assert.equal(response.trailers['x-sum'], 'got yes')
  })

  it('knows answers without a body', async () => {
    answer = (incoming, response) => {
      response.statusCode = Number(incoming.url?.slice(1))
      response.setHeader('content-length', response.statusCode === 204 ? 0 : 5)
      if (response.statusCode === 204) response.removeHeader('content-length')
      response.end(incoming.method === 'HEAD' || response.statusCode !== 200 ? undefined : 'hello')
    }
    const client = await rawClient(port)
    client.write('HEAD /200 HTTP/1.1\r\nHost: a\r\n\r\n')
    assert.match(await client.waitFor('\r\n\r\n'), /content-length: 5/)
    client.write('GET /304 HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.waitFor('304 Not Modified')
    client.write('GET /204 HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.waitFor('204 No Content')
    client.write('GET /200 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    assert.match(
      await client.closed(),
      /204 No Content\r\n(?:(?!content-length|transfer-encoding)[^\r]*\r\n)*\r\nHTTP\/1.1 200 OK[^]*\r\n\r\nhello$/,
    )
  })

  it('answers pipelined requests in order', async () => {
    answer = (incoming, response) => void setTimeout(() => response.end(incoming.url), incoming.url === '/1' ? 30 : 0)
    const client = await rawClient(port)
    client.write(
      'GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    )
    const text = await client.closed()
    assert.deepEqual(
      text.match(/\/\d/g)?.filter((path) => path !== '/1.1'),
      ['/1', '/1', '/1', '/2', '/1', '/3'],
    )
  })

  it('serves HTTP/1.0 clients, with and without keep-alive', async () => {
    answer = (_, response) => {
      response.write('no length')
      response.end()
    }
    const client = await rawClient(port)
    client.write('GET / HTTP/1.0\r\nHost: a\r\n\r\n')
    const text = await client.closed()
    assert.match(text, /^HTTP\/1.1 200 OK\r\n/)
    assert.doesNotMatch(text, /chunked/)
    assert.ok(text.endsWith('\r\n\r\nno length'))
    answer = (_, response) => void response.end('sized')
    const kept = await rawClient(port)
    kept.write('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
    assert.match(await kept.waitFor('sized'), /Connection: keep-alive/)
    kept.write('GET / HTTP/1.0\r\n\r\n')
    assert.match(await kept.closed(), /sized[^]*Connection: close[^]*sized$/)
  })

  it('passes 100-continue through, and other interim answers', async () => {
    answer = (incoming, response) => {
      response.writeEarlyHints({ link: '</style.css>; rel=preload' })
      echo(incoming, response)
    }
    const client = await rawClient(port)
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n')
    await client.waitFor('HTTP/1.1 100 Continue\r\n\r\n')
    client.write('hello')
    const text = await client.closed()
    assert.match(text, /HTTP\/1.1 103 Early Hints\r\nLink/i)
    assert.ok(text.endsWith('hello'))
  })

  it('closes after a final answer to a body that was not sent', async () => {
    server.once('checkContinue', (_, response) => {
      response.statusCode = 413
      response.end('too much')
    })
    const client = await rawClient(port)
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\nExpect: 100-continue\r\n\r\n')
    const text = await client.closed()
    assert.match(text, /^HTTP\/1.1 413 [^]*Connection: close/)
    assert.doesNotMatch(text, /100 Continue/)
  })

  it('passes an upgraded protocol both ways, with half-closes', async () => {
    const client = await rawClient(port)
    client.write(
      'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n',
    )
    assert.match(await client.waitFor('\r\n\r\n'), /^HTTP\/1.1 101 Switching Protocols\r\n[^]*Upgrade: websocket/)
    client.write('hello')
    await client.waitFor('HELLO')
    client.socket.end()
    assert.ok((await client.closed()).endsWith('HELLObye'))
    await until('the exchange is over', () => test.exchanges.at(-1)?.status === 101)
  })

  it('does not pass an offer of HTTP/2', async () => {
    let offered: string | undefined = ''
    answer = (incoming, response) => {
      offered = incoming.headers.upgrade
      response.end()
    }
    const client = await rawClient(port)
    client.write(
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n',
    )
    assert.match(await client.closed(), /^HTTP\/1.1 200/)
    assert.equal(offered, undefined)
  })

  it('streams events as they come', async () => {
    let stream: ServerResponse | undefined
    answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      stream = response
      response.flushHeaders()
    }
    const client = await rawClient(port)
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.waitFor('\r\n\r\n')
    stream?.write('data: 1\n\n')
    await client.waitFor('data: 1')
    stream?.write('data: 2\n\n')
    await client.waitFor('data: 2')
    client.socket.destroy()
    await until('the caller to be missed', () => test.exchanges.at(-1)?.flags.includes('DC') === true)
  })

  it('tells the application when the caller goes away', async () => {
    let aborted = false
    answer = (incoming) => void incoming.on('close', () => (aborted = true))
    const client = await rawClient(port)
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\npart')
    await until('the request arrived', () => test.line.clusters().get('app')?.[0]?.activeRequests === 1)
    client.socket.resetAndDestroy()
    await until('the application knows', () => aborted)
    assert.deepEqual(test.exchanges.at(-1)?.flags, ['DC'])
    assert.equal(test.line.clusters().get('app')?.[0]?.activeRequests, 0)
  })

  it('answers a caller that has ended its side', async () => {
    answer = (_, response) => void setTimeout(() => response.end('late'), 30)
    const client = await rawClient(port)
    client.socket.end('GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n')
    assert.match(await client.closed(), /late[^]+late$/)
  })

  it('breaks the connection when the answer breaks off', async () => {
    for (const headers of [{ 'content-length': '100' }, {}]) {
      answer = (_, response) => {
        response.writeHead(200, headers)
        response.write('part')
        setTimeout(() => (response.socket as Socket).destroy(), 20)
      }
      const client = await rawClient(port)
      client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      const text = await client.closed()
      assert.match(text, /part/)
      assert.doesNotMatch(text, /0\r\n\r\n$/)
      assert.deepEqual(test.exchanges.at(-1)?.flags, ['UC'])
    }
  })

  it('does not hoard what a slow caller has not read', async () => {
    let written = 0
    answer = (_, response) => {
      const chunk = Buffer.alloc(65_536)
      const more = (): void => {
        while (written < 200_000_000) {
          written += chunk.length
          if (!response.write(chunk)) {
            response.once('drain', more)
            return
          }
        }
        response.end()
      }
      more()
    }
    const client = await rawClient(port)
    client.socket.pause()
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    let last = -1
    await until('the application to be held up', () => {
      const held = written === last && written > 0
      last = written
      return held
    })
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.ok(written < 30_000_000, `${written} bytes went through`)
    client.socket.destroy()
  })

  it('uses a connection again whose last answer waits for a slow caller', async () => {
    answer = (incoming, response) => void response.end(Buffer.alloc(incoming.url === '/large' ? 8_000_000 : 1))
    const slow = await rawClient(port)
    slow.socket.pause()
    slow.write('GET /large HTTP/1.1\r\nHost: a\r\n\r\n')
    await new Promise((resolve) => setTimeout(resolve, 50))
    for (let i = 0; i < 3; i++) assert.equal((await send({ address: `127.0.0.1:${port}`, target: '/' })).body.length, 1)
    slow.socket.resume()
    await until('all of it', () => slow.received().length > 8_000_000)
    for (let i = 0; i < 3; i++) assert.equal((await send({ address: `127.0.0.1:${port}`, target: '/' })).body.length, 1)
    slow.socket.destroy()
  })

  it('does not hoard what a slow application has not read', async () => {
    answer = (incoming) => void incoming.pause()
    const client = await rawClient(port)
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000000\r\n\r\n')
    for (let i = 0; i < 1_000; i++) client.write(Buffer.alloc(100_000))
    let last = -1
    await until('the caller to be held up', () => {
      const held = client.socket.writableLength === last && last < 99_000_000
      last = client.socket.writableLength
      return held
    })
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.ok(client.socket.writableLength > 70_000_000, `${client.socket.writableLength} bytes still to be sent`)
    client.socket.destroy()
  })
})

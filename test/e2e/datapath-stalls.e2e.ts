// Requests on which nothing moves any more, whoever it is that stopped: they meet the stream idle timeout, over both versions of HTTP.
import assert from 'node:assert/strict'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'

import { rawClient } from '../kit/raw-client.ts'
import { clusterOf, configOf, freePort, listenerOn, routesTo, startLine, type TestLine } from '../kit/request-line.ts'
import { until } from '../kit/until.ts'

const streamIdleTimeoutMs = 400
let application: Server
let port = 0
let test: TestLine
const open: ServerResponse[] = []
const sessions: ClientHttp2Session[] = []

before(async () => {
  application = createServer((incoming, response) => {
    open.push(response)
    if (incoming.url === '/half') response.writeHead(200, { 'content-length': '10' }).write('12345')
    else if (incoming.url === '/endless') {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      }
      response.on('drain', more)
      more()
    } else if (incoming.url === '/trickle') {
      const sending = setInterval(() => response.write('.'), streamIdleTimeoutMs / 4)
      response.on('close', () => clearInterval(sending))
    } else if (incoming.url === '/upload') incoming.on('end', () => response.end('complete')).resume()
  })
  application.on('upgrade', (_, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => application.listen(0, '127.0.0.1', resolve))
  port = await freePort()
  test = await startLine(
    configOf({
      listeners: [listenerOn(port, { kind: 'rds', name: 'routes' }, { streamIdleTimeoutMs })],
      routes: [routesTo('app')],
      clusters: [clusterOf('app', [{ port: (application.address() as AddressInfo).port }], { httpProtocol: 'http1' })],
    }),
  )
})

afterEach(() => {
  test.exchanges.length = 0
  open.length = 0
  for (const session of sessions.splice(0)) session.destroy()
})

after(async () => {
  await test.line.stop()
  application.closeAllConnections()
  application.close()
})

async function finished(): Promise<{ readonly status: number; readonly flags: readonly string[] }> {
  await until('the end of the exchange', () => test.exchanges.length === 1)
  const { status, flags } = test.exchanges[0] as TestLine['exchanges'][number]
  return { status, flags }
}

function http2(): ClientHttp2Session {
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  session.on('error', () => {})
  sessions.push(session)
  return session
}

describe('over HTTP/1.1', () => {
  it('a body that stops is answered with 408, and the application sees the end', async () => {
    const client = await rawClient(port)
    client.write('POST /upload HTTP/1.1\r\nHost: app\r\nContent-Length: 10\r\n\r\n12345')
    assert.match(await client.closed(), /^HTTP\/1\.1 408 [^]*Connection: close[^]*nothing has moved/i)
    assert.deepEqual(await finished(), { status: 408, flags: ['SI'] })
    await until('the application hears of it', () => open[0]?.destroyed === true)
  })

  it('an application that does not answer: 504', async () => {
    const client = await rawClient(port)
    client.write('GET /silent HTTP/1.1\r\nHost: app\r\n\r\n')
    assert.match(await client.waitFor('nothing has moved'), /^HTTP\/1\.1 504 /)
    assert.deepEqual(await finished(), { status: 504, flags: ['SI'] })
    client.socket.destroy()
  })

  it('an application that stops within its answer: the connection is cut', async () => {
    const client = await rawClient(port)
    client.write('GET /half HTTP/1.1\r\nHost: app\r\n\r\n')
    assert.ok((await client.closed()).endsWith('\r\n\r\n12345'))
    assert.deepEqual(await finished(), { status: 200, flags: ['SI'] })
  })

  it('a reader that stops', async () => {
    const client = await rawClient(port)
    client.socket.pause()
    client.write('GET /endless HTTP/1.1\r\nHost: app\r\n\r\n')
    assert.deepEqual(await finished(), { status: 200, flags: ['SI'] })
    await until('the application hears of it', () => open[0]?.destroyed === true)
    client.socket.destroy()
  })

  it('what moves now and then goes on', async () => {
    const client = await rawClient(port)
    client.write('GET /trickle HTTP/1.1\r\nHost: app\r\n\r\n')
    await client.waitFor('.\r\n')
    await new Promise((resolve) => setTimeout(resolve, streamIdleTimeoutMs * 3))
    assert.equal(test.exchanges.length, 0)
    client.socket.destroy()
    assert.deepEqual(await finished(), { status: 200, flags: ['DC'] })
  })

  it('a WebSocket may be silent', async () => {
    const client = await rawClient(port)
    client.write('GET / HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    await client.waitFor('101 Switching')
    await new Promise((resolve) => setTimeout(resolve, streamIdleTimeoutMs * 3))
    client.write('still here')
    await client.waitFor('still here')
    client.socket.destroy()
    await finished()
  })
})

describe('over HTTP/2', () => {
  it('a body that stops', async () => {
    const stream = http2().request({ ':method': 'POST', ':path': '/upload', ':authority': 'app' })
    const status = new Promise((resolve) => stream.once('response', (headers) => resolve(headers[':status'])))
    stream.on('error', () => {}).resume()
    stream.write('12345')
    assert.equal(await status, 408)
    assert.deepEqual(await finished(), { status: 408, flags: ['SI'] })
  })

  it('an application that stops, a reader that stops: the streams are reset, the connection stays', async () => {
    const session = http2()
    for (const path of ['/half', '/endless']) {
      const stream = session.request({ ':path': path, ':authority': 'app' })
      const code = new Promise((resolve) => stream.once('close', () => resolve(stream.rstCode)))
      stream.on('error', () => {})
      if (path === '/half') stream.resume()
      assert.deepEqual(await finished(), { status: 200, flags: ['SI'] })
      test.exchanges.length = 0
      stream.resume()
      assert.notEqual(await code, 0)
    }
    assert.equal(session.destroyed, false)
    const stream = session.request({ ':method': 'POST', ':path': '/upload', ':authority': 'app' })
    stream.end('all of it')
    let text = ''
    for await (const piece of stream) text += String(piece)
    assert.equal(text, 'complete')
  })
})

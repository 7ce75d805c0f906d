// What a proxy owes to HTTP/1.1 (RFC 9110, 9112), byte for byte: through one proxy, and through two that speak mutual TLS.
import assert from 'node:assert/strict'
import { createServer, type Server, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'

import { readRequests, type ReadRequest } from '../fuzz/strict-reader.ts'
import { type RawClient, rawClient } from '../kit/raw-client.ts'
import { clusterOf, configOf, freePort, listenerOn, routesTo, startLine, type TestLine } from '../kit/request-line.ts'
import { testAuthority } from '../kit/svids.ts'
import { until } from '../kit/until.ts'

type Answer = (request: ReadRequest, socket: Socket) => void

const authority = testAuthority()
const spiffeId = 'spiffe://mesh.local/ns/default/sa/app'
const lines: TestLine[] = []
let application: Server
let answer: Answer
/** Called with all bytes of a connection so far; true: taken care of. */
let onBytes: (text: string, socket: Socket) => boolean
const ports = { 'one proxy': 0, 'two sidecars': 0 }

before(async () => {
  application = createServer((socket) => {
    let text = ''
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1')
      if (onBytes(text, socket)) return
      const { requests, rest } = readRequests(text)
      text = rest
      for (const request of requests) answer(request, socket)
    })
  })
  await new Promise<void>((resolve) => application.listen(0, '127.0.0.1', resolve))
  const app = clusterOf('app', [{ port: (application.address() as AddressInfo).port }])
  const [single, outbound, inbound] = [await freePort(), await freePort(), await freePort()]
  const rds = { kind: 'rds', name: 'routes' } as const
  const toApp = { listeners: [listenerOn(single, rds)], routes: [routesTo('app')], clusters: [app] }
  const tls = { kind: 'mesh', requireClientCertificate: true, alpn: ['http/1.1'] } as const
  const server = { name: 'inbound', direction: 'inbound', tls } as const
  const credentials = authority.issue(spiffeId)
  lines.push(
    await startLine(configOf(toApp)),
    await startLine(configOf({ ...toApp, listeners: [listenerOn(inbound, rds, server)] }), { credentials }),
    await startLine(
      configOf({
        listeners: [listenerOn(outbound, rds)],
        routes: [routesTo('peer')],
        clusters: [clusterOf('peer', [{ port: inbound, tls: true }], { peerSpiffeIds: [spiffeId] })],
      }),
      { credentials },
    ),
  )
  ports['one proxy'] = single
  ports['two sidecars'] = outbound
})

after(async () => {
  await Promise.all(lines.map(({ line }) => line.stop()))
  application.close()
  authority.remove()
})

function respond(head: string, body = ''): Answer {
  return (_, socket) => void socket.write(Buffer.from(`HTTP/1.1 ${head}\r\n\r\n${body}`, 'latin1'))
}

function connectTo(path: keyof typeof ports): Promise<RawClient> {
  onBytes = () => false
  return rawClient(ports[path])
}

const echo: Answer = ({ method, target, body }, socket) => {
  const text = `${method} ${target} ${body}`
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${method === 'HEAD' ? '' : text}`)
}

for (const path of ['one proxy', 'two sidecars'] as const) {
  /** Everything for one request whose connection ends with it. */
  async function call(text: string): Promise<string> {
    const client = await connectTo(path)
    client.write(text)
    const got = await client.closed()
    client.socket.destroy()
    return got
  }

  const get = (method = 'GET', more = ''): Promise<string> =>
    call(`${method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${more}\r\n`)

  describe(`HTTP/1.1 through ${path}`, () => {
    it('takes chunks with extensions and trailers, both ways', async () => {
      let seen: ReadRequest | undefined
      answer = (request, socket) => {
        seen = request
        respond('200 OK\r\nTransfer-Encoding: chunked', '3;x="y"\r\nabc\r\n0002\r\nde\r\n0;z\r\nX-Sum: 9\r\n\r\n')(
          request,
          socket,
        )
      }
      const got = await call(
        'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2;a\r\nhi\r\n1\r\n!\r\n0\r\nX-Up: 1\r\n\r\n',
      )
      assert.equal(seen?.body, 'hi!')
      assert.match(got, /\r\nTransfer-Encoding: chunked\r\n/i)
      assert.ok(!got.includes(';'))
      assert.match(got, /abc[^]*de\r\n0\r\nX-Sum: 9\r\n\r\n$/)
    })

    it('sends no body for HEAD, 204 and 304, whatever length they tell of', async () => {
      answer = respond('200 OK\r\nContent-Length: 7')
      assert.match(await get('HEAD'), /^HTTP\/1\.1 200 [^]*\r\nContent-Length: 7\r\n[^]*\r\n\r\n$/)
      answer = respond('304 Not Modified\r\nContent-Length: 7\r\nETag: "x"')
      assert.match(await get(), /^HTTP\/1\.1 304 [^]*ETag: "x"[^]*\r\n\r\n$/)
      answer = respond('304 Not Modified')
      assert.match(await get(), /^HTTP\/1\.1 304 [^]*\r\n\r\n$/)
      answer = respond('204 No Content')
      const none = await get()
      assert.match(none, /^HTTP\/1\.1 204 [^]*\r\n\r\n$/)
      assert.doesNotMatch(none, /content-length|transfer-encoding/i)
      answer = respond('204 No Content\r\nContent-Length: 0')
      assert.doesNotMatch(await get(), /content-length/i)
    })

    it('passes 100 and 103, and one final answer', async () => {
      onBytes = () => false
      const client = await connectTo(path)
      let begun = false
      onBytes = (text, socket) => {
        if (begun || !text.includes('\r\n\r\n')) return false
        begun = true
        socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n')
        return !text.endsWith('hello')
      }
      answer = echo
      client.write(
        'POST /c HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n',
      )
      await client.waitFor('100 Continue')
      client.write('hello')
      const got = await client.closed()
      assert.match(got, /^HTTP\/1\.1 103 [^]*Link: <\/a>[^]*HTTP\/1\.1 100 [^]*HTTP\/1\.1 200 [^]*POST \/c hello$/)
    })

    it('does not wait for 100 when the caller does not', async () => {
      answer = echo
      const got = await call(
        'POST /c HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello',
      )
      assert.match(got, /POST \/c hello$/)
    })

    it('ends the connection after an early answer to a body that is still being sent', async () => {
      const client = await connectTo(path)
      onBytes = (text, socket) => {
        if (text.includes('\r\n\r\n')) socket.write('HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig')
        return true
      }
      client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\npart')
      assert.match(await client.closed(), /^HTTP\/1\.1 413 [^]*Connection: close[^]*big$/)
      client.socket.destroy()
    })

    it('drops the lines of one hop, and what Connection names', async () => {
      let names: string[] = []
      answer = (request, socket) => {
        names = request.headers.map(([name]) => name)
        respond(
          '200 OK\r\nConnection: x-mine, keep-alive\r\nX-Mine: 1\r\nKeep-Alive: timeout=9\r\nX-Kept: 1\r\nContent-Length: 0',
        )(request, socket)
      }
      const got = await call(
        'GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Hop, TE\r\nX-Hop: 1\r\nTE: trailers\r\nKeep-Alive: 1\r\nProxy-Connection: x\r\nX-End: 1\r\nTrailer: x-sum\r\n\r\n',
      )
      for (const name of ['x-hop', 'te', 'keep-alive', 'proxy-connection', 'connection'])
        assert.ok(!names.includes(name), name)
      assert.ok(names.includes('x-end'))
      assert.match(got, /X-Kept: 1/)
      assert.doesNotMatch(got, /x-mine|keep-alive/i)
    })

    it('answers ten requests of one packet in their order', async () => {
      answer = echo
      const numbers = Array.from({ length: 10 }, (_, index) => index)
      const got = await call(
        numbers
          .map((index) => `GET /${index} HTTP/1.1\r\nHost: a\r\n${index === 9 ? 'Connection: close\r\n' : ''}\r\n`)
          .join(''),
      )
      assert.deepEqual(
        [...got.matchAll(/GET \/(\d) /g)].map((match) => Number(match[1])),
        numbers,
      )
    })

    it('takes absolute and asterisk forms', async () => {
      answer = (request, socket) => {
        const host = request.headers.find(([name]) => name === 'host')?.[1] ?? ''
        echo({ ...request, body: host }, socket)
      }
      const close = 'Connection: close\r\n\r\n'
      assert.match(await call(`GET http://B.example/x?y HTTP/1.1\r\nHost: a\r\n${close}`), /GET \/x\?y b\.example$/)
      assert.match(await call(`GET http://b?y HTTP/1.1\r\nHost: a\r\n${close}`), /GET \/\?y b$/)
      assert.match(await call(`OPTIONS * HTTP/1.1\r\nHost: a\r\n${close}`), /OPTIONS \* a$/)
      assert.match(await call(`OPTIONS http://b HTTP/1.1\r\nHost: a\r\n${close}`), /OPTIONS \* b$/)
    })

    it('serves HTTP/1.0, kept and not', async () => {
      answer = respond('200 OK\r\nTransfer-Encoding: chunked', '2\r\nok\r\n0\r\n\r\n')
      const got = await call('GET / HTTP/1.0\r\nHost: a\r\n\r\n')
      assert.match(got, /Connection: close[^]*\r\n\r\nok$/)
      assert.doesNotMatch(got, /transfer-encoding/i)
      answer = echo
      const client = await connectTo(path)
      client.write('GET /1 HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n')
      assert.match(await client.waitFor('GET /1 '), /Connection: keep-alive/i)
      client.write('GET /2 HTTP/1.0\r\nHost: a\r\n\r\n')
      assert.match(await client.closed(), /GET \/2 $/)
      client.socket.destroy()
    })

    it('echoes through WebSocket, and sends at once what is sent alone', async () => {
      const client = await connectTo(path)
      onBytes = (text, socket) => {
        const end = text.indexOf('\r\n\r\n')
        if (end === -1) return true
        assert.match(text, /\r\nUpgrade: websocket\r\n/i)
        if (text.length === end + 4) {
          socket.write(
            'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n',
          )
        } else socket.write(Buffer.from(`<${text.slice(end + 4)}>`, 'latin1'))
        return true
      }
      client.write(
        'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n',
      )
      await client.waitFor('Sec-WebSocket-Accept: x')
      client.write('\x81\x02hi')
      await client.waitFor('<\x81\x02hi>')
      client.write('\x88\x00')
      await client.waitFor('<\x81\x02hi\x88\x00>')
      client.socket.destroy()
    })

    it('passes each event before the next is sent', async () => {
      let socket: Socket | undefined
      answer = (_, caller) => {
        socket = caller
        caller.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n')
      }
      const client = await connectTo(path)
      client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      await client.waitFor('text/event-stream')
      for (const event of ['one', 'two', 'six']) {
        socket?.write(`b\r\ndata: ${event}\n\n\r\n`)
        await client.waitFor(`data: ${event}`)
      }
      client.socket.destroy()
      await until('the application hears of it', () => socket?.destroyed === true)
    })

    it('holds up an application whose caller does not read', async () => {
      let socket: Socket | undefined
      answer = (_, caller) => {
        socket = caller
        caller.write('HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n')
        for (let piece = 0; piece < 200; piece++) caller.write(Buffer.alloc(1_000_000))
      }
      const client = await connectTo(path)
      client.socket.pause()
      client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      let last = -1
      await until('nothing more to be taken', () => {
        const left = socket?.writableLength ?? 0
        const still = left === last && left > 0
        last = left
        return still
      })
      assert.ok(last > 100_000_000, `${last} bytes are still with the application`)
      client.socket.destroy()
    })

    it('refuses CONNECT where it leads nowhere, and expectations it cannot meet', async () => {
      assert.match(await call('CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 405 /)
      assert.match(await get('POST', 'Expect: the-unexpected\r\n'), /^HTTP\/1\.1 417 /)
    })
  })
}

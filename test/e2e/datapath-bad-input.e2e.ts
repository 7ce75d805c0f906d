// Bytes that are no acceptable request: the caller gets a clear answer and a closed connection, the application sees nothing,
// or exactly one well-formed request.
import assert from 'node:assert/strict'
import { createServer, type Server, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'

import { send } from '../kit/http-client.ts'
import { rawClient } from '../kit/raw-client.ts'
import { clusterOf, configOf, freePort, listenerOn, routesTo, startLine, type TestLine } from '../kit/request-line.ts'
import { until } from '../kit/until.ts'

let port: number
let test: TestLine
let application: Server
/** Bytes that the application received, per connection. */
let seen: string[] = []
/** What it says to whatever it gets. */
let reply: (socket: Socket) => void

before(async () => {
  application = createServer((socket) => {
    const index = seen.push('') - 1
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      seen[index] += bytes.toString('latin1')
      if (/\r\n\r\n/.test(seen[index] as string)) reply(socket)
    })
  })
  await new Promise<void>((resolve) => application.listen(0, '127.0.0.1', resolve))
  port = await freePort()
  test = await startLine(
    configOf({
      listeners: [listenerOn(port, { kind: 'rds', name: 'routes' })],
      routes: [routesTo('app')],
      clusters: [clusterOf('app', [{ port: (application.address() as AddressInfo).port }])],
    }),
  )
})

after(async () => {
  await test.line.stop()
  application.close()
})

const ok = (socket: Socket): void => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')

describe('bad requests', () => {
  const cases: Record<string, [status: number, request: string]> = {
    'both framings': [
      400,
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n',
    ],
    'two lengths': [400, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 50\r\n\r\nhello'],
    'space before the colon': [400, 'GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n'],
    'a folded line': [400, 'GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\tTransfer-Encoding: chunked\r\n\r\n'],
    'bare LF': [400, 'GET / HTTP/1.1\nHost: a\n\n'],
    'no Host': [400, 'GET / HTTP/1.1\r\n\r\n'],
    'two Hosts': [400, 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
    garbage: [400, '\x01\x02\x03\x04\r\n\r\n'],
    'no HTTP': [400, 'hello there, how are you doing?\r\n\r\n'],
    'an oversized head': [431, `GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(70_000)}`],
    'an oversized target': [414, `GET /${'a'.repeat(20_000)}`],
    'too many lines': [431, `GET / HTTP/1.1\r\nHost: a\r\n${'X: 1\r\n'.repeat(200)}\r\n`],
    'another version': [505, 'GET / HTTP/3.0\r\nHost: a\r\n\r\n'],
    CONNECT: [405, 'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n'],
    'an https URL': [400, 'GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n'],
  }
  for (const [name, [status, text]] of Object.entries(cases)) {
    it(`${name}: ${status}`, async () => {
      seen = []
      const client = await rawClient(port)
      client.write(text)
      if (status === 405 || text.includes('https:')) client.socket.end()
      const answer = await client.closed()
      assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `))
      assert.match(answer, /\r\n\r\n[ -~]+\n$/)
      assert.equal(answer.match(/HTTP\/1.1 \d/g)?.length, 1)
      assert.deepEqual(seen, [])
    })
  }

  it('a body that turns out bad: the request is broken off', async () => {
    seen = []
    reply = () => {}
    const client = await rawClient(port)
    client.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')
    await until('the application has the first part', () => seen.some((text) => text.includes('hello')))
    client.write('zz\r\n')
    assert.match(await client.closed(), /^HTTP\/1.1 400 /)
    assert.ok(!seen.some((text) => text.includes('0\r\n\r\n')))
    await until('the exchange to be over', () => test.exchanges.at(-1)?.flags.includes('DPE') === true)
    assert.equal(test.exchanges.at(-1)?.status, 400)
  })

  it('chunk extensions and disguises are gone when the application reads', async () => {
    seen = []
    reply = (socket) => {
      if (seen.join('').includes('0\r\n\r\n')) ok(socket)
    }
    const client = await rawClient(port)
    client.write(
      'POST / HTTP/1.1\r\nhOST:a\r\nTRANSFER-ENCODING:  ChUnKeD \r\nConnection: close\r\n\r\n3;a="b"\r\nabc\r\n000;x\r\n\r\n',
    )
    assert.match(await client.closed(), /ok$/)
    const text = seen.join('')
    assert.match(text, /^POST \/ HTTP\/1.1\r\nHost: a\r\n/)
    assert.equal(text.match(/transfer-encoding: chunked/gi)?.length, 1)
    assert.ok(text.endsWith('\r\n\r\n3\r\nabc\r\n0\r\n\r\n'), JSON.stringify(text))
  })

  it('a request after a bad one on the same connection is not read', async () => {
    seen = []
    const client = await rawClient(port)
    client.write('GET / HTTP/1.1\r\nHost: a\r\nBad Header: 1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n')
    assert.equal((await client.closed()).match(/HTTP\/1.1 \d/g)?.length, 1)
    assert.deepEqual(seen, [])
  })

  it('counts what never became a request', () => {
    assert.ok(test.refused.includes('two Content-Length lines differ'))
  })
})

describe('bad responses', () => {
  const cases: Record<string, string> = {
    'both framings': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'no HTTP': 'what?\r\n\r\n',
    'a bare LF': 'HTTP/1.1 200 OK\nContent-Length: 0\n\n',
    'an oversized head': `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(70_000)}\r\n\r\n`,
    'a switch that nobody asked for': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n',
  }
  for (const [name, text] of Object.entries(cases)) {
    it(`${name}: 502`, async () => {
      reply = (socket) => void socket.write(text)
      // Not idempotent: tried once.
      const response = await send({ address: `127.0.0.1:${port}`, target: '/', method: 'POST', body: 'x' })
      assert.equal(response.status, 502)
      assert.match(response.body, /unreadable response from 127\.0\.0\.1:\d+/)
      assert.deepEqual(test.exchanges.at(-1)?.flags, ['UPE'])
    })
  }

  it('a response that nobody asked for is given to nobody', async () => {
    reply = (socket) =>
      void socket.write(
        'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil',
      )
    for (let i = 0; i < 5; i++) {
      const response = await send({ address: `127.0.0.1:${port}`, target: '/' })
      assert.equal(response.body, 'ok')
    }
  })
})

// Answers that can be read in two ways, or end too soon: the caller gets 502 or a cut connection, and the next request its own answer.
import assert from 'node:assert/strict'
import { createServer, type Server, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'

import { send } from '../kit/http-client.ts'
import { rawClient } from '../kit/raw-client.ts'
import { clusterOf, configOf, freePort, listenerOn, routesTo, startLine, type TestLine } from '../kit/request-line.ts'

let port: number
let test: TestLine
let application: Server
let reply: (socket: Socket) => void

before(async () => {
  application = createServer((socket) => {
    let seen = ''
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      seen += bytes.toString('latin1')
      if (!seen.includes('\r\n\r\n')) return
      if (seen.startsWith('GET /probe')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nprobe')
      else reply(socket)
      seen = ''
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

const evil = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'

/** What the caller gets when the application says this and ends; `method` decides whether there is a body. */
async function answerTo(text: string, method = 'GET', end = true): Promise<string> {
  reply = (socket) => {
    socket.write(Buffer.from(text, 'latin1'))
    if (end) socket.end()
  }
  const client = await rawClient(port)
  client.write(`${method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
  const answer = await client.closed()
  client.socket.destroy()
  return answer
}

async function probe(): Promise<void> {
  const { status, body } = await send({ address: `127.0.0.1:${port}`, target: '/probe' })
  assert.deepEqual([status, body], [200, 'probe'])
}

describe('an answer that is no single well-formed one', () => {
  const refused: Record<string, string> = {
    'two lengths': `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 40\r\n\r\nok${evil}`,
    'a list of lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok',
    'a signed length': 'HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok',
    'length and chunks': `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${evil}`,
    'chunks in HTTP/1.0': 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'another coding': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
    'a coding in disguise': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: \xa0chunked\r\n\r\n0\r\n\r\n',
    'chunked twice': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'a status of two digits': 'HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n',
    'a status of four digits': 'HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n',
    'status 0': 'HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n',
    'two spaces': 'HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n',
    'HTTP/2.0': 'HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n',
    'a lower-case version': 'http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    'no status line': `X: y\r\n\r\n${evil}`,
    'NUL in the reason': 'HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n',
    'a bare CR in a line': 'HTTP/1.1 200 OK\r\nX: y\rContent-Length: 5\r\n\r\n',
    'a folded line': 'HTTP/1.1 200 OK\r\nX: y\r\n Content-Length: 5\r\n\r\n',
    'space before the colon': 'HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello',
    'an end within the head': 'HTTP/1.1 200 OK\r\nContent-Length: 5',
    'only an interim answer': 'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n',
    nothing: '',
  }
  for (const [name, text] of Object.entries(refused)) {
    it(`${name}: an error`, async () => {
      const answer = await answerTo(text, 'POST')
      assert.match(answer.replace(/^HTTP\/1\.1 103 [^]*?\r\n\r\n/, ''), /^HTTP\/1\.1 50[23] [^]*\r\n\r\n[ -~]+\n$/)
      assert.ok(!answer.includes('evil'))
      await probe()
    })
  }

  const cut: Record<string, string> = {
    'a body shorter than its length': 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc',
    'chunks without an end': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n',
    'a chunk that is too long': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n',
    'a chunk size that is none': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n+0\r\n\r\n',
    'a bare LF in the chunks': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\n0\r\n\r\n',
    'a trailer that is none': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX : y\r\n\r\n',
  }
  for (const [name, text] of Object.entries(cut)) {
    it(`${name}: cut off, and seen to be`, async () => {
      const answer = await answerTo(text)
      if (answer === '') return
      assert.match(answer, /^HTTP\/1\.1 200 /)
      // Either by a length that is not reached or by the last chunk that does not come.
      assert.doesNotMatch(answer, /\r\n0\r\n/)
      assert.ok(answer.includes('Content-Length: 10') || answer.toLowerCase().includes('transfer-encoding: chunked'))
    })
    it(`the next request after ${name}`, probe)
  }
})

describe('bytes that belong to no answer', () => {
  const extra: Record<string, [method: string, text: string]> = {
    'a body on 204': ['GET', `HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n${evil}`],
    'a body on 304': ['GET', `HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n${evil}`],
    'a chunked 204': ['GET', `HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${evil}`],
    'a body for HEAD': ['HEAD', `HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello${evil}`],
    'a second answer': ['GET', `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok${evil}`],
    'a second answer after chunks': [
      'GET',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n${evil}`,
    ],
  }
  for (const [name, [method, text]] of Object.entries(extra)) {
    it(`${name}: given to nobody`, async () => {
      const answer = await answerTo(text, method, false)
      assert.match(answer, /^HTTP\/1\.1 (?:200|204|304) /)
      assert.ok(!answer.includes('evil') && !answer.includes('hello'), answer)
      await probe()
    })
  }
})

it('a flood of interim answers ends', async () => {
  reply = (socket) => {
    const hint = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(100)
    const more = (): void => {
      let taken = true
      while (taken) taken = socket.write(hint)
    }
    socket.on('drain', more)
    more()
  }
  const client = await rawClient(port)
  client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
  const answer = await client.closed()
  assert.match(answer, /HTTP\/1\.1 502 /)
  client.socket.destroy()
  await probe()
})

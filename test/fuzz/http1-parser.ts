// Fuzzes the HTTP/1.1 parser with mutated requests: `node test/fuzz/http1-parser.ts [seconds] [seed]`. What is accepted must serialize and
// parse back to itself, and no cutting of the bytes may change the result. A failure prints the seed and the bytes.
import assert from 'node:assert/strict'

import { createRandom } from '../../src/core/random.ts'
import { parseRequestHead } from '../../src/proxy/codec/http1/message-head.ts'
import { HttpParseError } from '../../src/proxy/codec/http1/parse-error.ts'
import { serializeRequestHead } from '../../src/proxy/codec/http1/serializer.ts'
import { cutAt, parsePieces } from '../kit/http1-events.ts'

const corpus = [
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'POST /a?b HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello',
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n',
  'GET http://a.example:80/x HTTP/1.1\r\nHost: b\r\nConnection: close, x-a\r\nX-A: 1\r\n\r\n',
  'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nExpect: 100-continue\r\n\r\n',
]
const spices = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  '\t',
  ':',
  ',',
  ';',
  '0',
  'ff',
  'chunked',
  'Content-Length: 1\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Host: b\r\n',
  '\x80',
  '%',
  '#',
]

const [seconds = '10', seed = `${Date.now() >>> 0}`] = process.argv.slice(2)
const random = createRandom(Number(seed))
const endMs = performance.now() + Number(seconds) * 1_000
const choose = <T>(items: readonly T[]): T => items[random.int(items.length)] as T

function mutate(text: string): string {
  let mutated = text
  for (let count = random.int(4); count > 0; count--) {
    const at = random.int(mutated.length + 1)
    const removed = random.int(3) === 0 ? random.int(6) : 0
    const added = random.int(3) === 0 ? String.fromCharCode(random.int(256)) : choose(spices)
    mutated = mutated.slice(0, at) + added + mutated.slice(at + removed)
  }
  return mutated
}

function check(bytes: Buffer): boolean {
  const whole = parsePieces([bytes])
  const cuts = Array.from({ length: random.int(8) }, () => random.int(bytes.length + 1))
  assert.deepEqual(parsePieces(cutAt(bytes, cuts)), whole)
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1) return whole.error === undefined
  try {
    const first = parseRequestHead(bytes, 0, end + 4)
    if (first === undefined) return whole.error === undefined
    const { head, length, upgrade } = first
    const again = Buffer.from(serializeRequestHead(head, { length, upgrade }), 'latin1')
    const second = parseRequestHead(again, 0, again.length)
    assert.ok(second)
    assert.deepEqual([second.length, second.upgrade], [length, upgrade])
    const { headers, ...line } = second.head
    const { headers: original, ...originalLine } = head
    assert.deepEqual(line, originalLine)
    const rest = (list: typeof headers) => [...list].filter(([name]) => name.toLowerCase() !== 'content-length')
    assert.deepEqual(rest(headers), rest(original))
  } catch (error) {
    if (!(error instanceof HttpParseError)) throw error
  }
  return whole.error === undefined
}

let runs = 0
let accepted = 0
while (performance.now() < endMs) {
  const bytes = Buffer.from(Array.from({ length: 1 + random.int(3) }, () => mutate(choose(corpus))).join(''), 'latin1')
  try {
    runs++
    if (check(bytes)) accepted++
  } catch (error) {
    console.error(`seed ${seed}, run ${runs}: ${JSON.stringify(bytes.toString('latin1'))}`)
    throw error
  }
}
console.log(`${runs} inputs, ${accepted} accepted, seed ${seed}`)

// A whole proxy in memory: what its application reads is what it decided about, however the caller's bytes are cut.
import assert from 'node:assert/strict'

import { createRandom } from '../../../src/core/random.ts'
import { smugglingCases } from '../corpus/smuggling.ts'
import type { FuzzTarget } from '../fuzz-target.ts'
import { MemoryProxy } from '../memory-proxy.ts'
import { readRequests } from '../strict-reader.ts'

const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
const requests = smugglingCases.map(([, , request]) => request)

export const headTarget: FuzzTarget = {
  name: 'http1-head',
  seeds: requests.filter((request) => !request.startsWith(head)).map((request) => Buffer.from(request, 'latin1')),
  runs: 1_500,
  async check(input) {
    const { read } = await agree(input)
    const text = input.toString('latin1').replace(/^(?:\r\n)+/, '')
    const doubt = doubtAbout(text.slice(0, text.indexOf('\r\n\r\n')))
    if (doubt !== undefined) assert.deepEqual(read, [], `forwarded in spite of ${doubt}`)
  },
}

export const chunkedTarget: FuzzTarget = {
  name: 'chunked',
  seeds: requests.flatMap((request) => {
    const at = request.indexOf('\r\n\r\n') + 4
    return /transfer-encoding: chunked/i.test(request) ? [Buffer.from(request.slice(at), 'latin1')] : []
  }),
  runs: 1_500,
  async check(input) {
    const { read } = await agree(Buffer.concat([Buffer.from(head), input]))
    if (read.length > 0) assert.equal(read[0], `POST / ${decodeChunks(input.toString('latin1'))}`)
  },
}

/** Why a head must not be forwarded, by other means than the proxy's. */
function doubtAbout(text: string): string | undefined {
  if (/[^\r]\n|\r(?!\n)|\0/.test(text)) return 'a bare LF or CR, or NUL'
  const lines = text.split('\r\n').slice(1)
  if (lines.some((line) => !/^[^\s:"(),/;<=>?@[\\\]{}]+:/.test(line))) return 'a line that is no field'
  const all = (name: string): string[] =>
    lines.filter((line) => line.toLowerCase().startsWith(`${name}:`)).map((line) => line.slice(name.length + 1))
  const codings = all('transfer-encoding')
  const lengths = all('content-length')
  if (codings.some((coding) => !/^[\t ]*chunked[\t ]*$/i.test(coding)) || codings.length > 1) return 'its codings'
  if (lengths.some((length) => !/^[\t ]*\d+[\t ]*$/.test(length))) return 'its lengths'
  if (new Set(lengths.map(Number)).size + codings.length > 1) return 'two framings'
  return all('host').length > 1 ? 'two hosts' : undefined
}

/** The body, when there is one way to read it (RFC 9112 section 7.1). */
function decodeChunks(text: string): string | undefined {
  let body = ''
  for (let rest = text; ;) {
    const line = /^([0-9a-f]+)(?:;[\t -~\x80-\xff]*)?\r\n/i.exec(rest)
    if (line === null) return undefined
    const length = Number.parseInt(line[1] as string, 16)
    rest = rest.slice(line[0].length)
    if (length === 0) return /^(?:[^\s:]+:[\t -~\x80-\xff]*\r\n)*\r\n/.test(rest) ? body : undefined
    if (rest.slice(length, length + 2) !== '\r\n') return undefined
    body += rest.slice(0, length)
    rest = rest.slice(length + 2)
  }
}

interface Outcome {
  /** Request lines with bodies that the application read. */
  readonly read: readonly string[]
  /** What the caller got. */
  readonly statuses: readonly string[]
}

async function agree(input: Buffer): Promise<Outcome> {
  const proxy = await (running ??= MemoryProxy.start())
  const whole = await outcome(proxy, [input])
  const random = createRandom(input.length)
  const pieces: Buffer[] = []
  for (let at = 0; at < input.length;) {
    const end = at + 1 + random.int(15)
    pieces.push(input.subarray(at, end))
    at = end
  }
  assert.deepEqual(await outcome(proxy, pieces), whole, 'the way the bytes are cut changes what they mean')
  return whole
}

let running: Promise<MemoryProxy> | undefined

async function outcome(proxy: MemoryProxy, pieces: readonly Buffer[]): Promise<Outcome> {
  const { answer, received, exchanges } = await proxy.say(pieces)
  const read = received
    .flatMap((text) => [...readRequests(text).requests])
    .map(({ method, target, body }) => `${method} ${target} ${body}`)
  const decided = exchanges
    .filter(({ cluster }) => cluster === 'app')
    .map(({ request: { method, path } }) => `${method} ${path} `)
  assert.ok(read.length <= decided.length, `the application read ${read.join(' and ')}`)
  for (const line of read)
    assert.ok(
      decided.some((known) => line.startsWith(known)),
      `the application read ${line}`,
    )
  return { read, statuses: answer.match(/HTTP\/1\.1 \d{3}(?= )/g) ?? [] }
}

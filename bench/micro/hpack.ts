// What one header block costs: `node bench/micro/hpack.ts [rounds]` prints nanoseconds a block, encoded and decoded, in steady state.
import { HeaderList } from '../../src/core/header-list.ts'
import { HpackDecoder } from '../../src/proxy/codec/http2/hpack/decoder.ts'
import { HpackEncoder } from '../../src/proxy/codec/http2/hpack/encoder.ts'
import { MessageReader } from '../../src/proxy/codec/http2/message-reader.ts'
import { OutputBuffer } from '../../src/proxy/io/output-buffer.ts'

const rounds = Number(process.argv[2] ?? 5)
const blocks = 100_000

/** Strings as a parser makes them: each time new ones. */
function fresh(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

function requestLines(i: number): string[] {
  const hex = (i * 2654435761).toString(16).padStart(16, '0').slice(-16)
  return [
    'User-Agent',
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36',
    'Accept',
    'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
    'Accept-Encoding',
    'gzip, deflate, br',
    'Accept-Language',
    'en-GB,en;q=0.5',
    'Cookie',
    'session=0123456789abcdef0123456789abcdef',
    'X-Forwarded-For',
    '10.0.0.1',
    'X-Request-Id',
    `3f2b6c1e-0000-4000-${hex.slice(0, 4)}-${hex.slice(4)}`,
    'Traceparent',
    `00-${hex}${hex}-${hex}-01`,
  ].map(fresh)
}

function responseLines(i: number): string[] {
  return ['Content-Type', 'application/json', 'Server', 'app/1.0', 'Date', 'Fri, 27 Nov 2026 09:00:00 GMT'].concat([
    'X-Request-Id',
    `3f2b6c1e-0000-4000-8000-${`${i}`.padStart(12, '0')}`,
  ])
}

function best(times: readonly number[]): string {
  return Math.min(...times).toFixed(0)
}

const requests = Array.from({ length: 1000 }, (_, i) => new HeaderList(requestLines(i)))
const paths = Array.from({ length: 500 }, (_, i) => fresh(`/api/v1/items/${i}?page=2`))
const responses = Array.from({ length: 1000 }, (_, i) => new HeaderList(responseLines(i)))
const authority = fresh('shop.default.svc.cluster.local:8080')

function encodeRequest(encoder: HpackEncoder, output: OutputBuffer, i: number): void {
  encoder.begin(output)
  encoder.method(output, 'GET')
  encoder.scheme(output, 'http')
  encoder.path(output, paths[i % 500] as string)
  encoder.authority(output, authority)
  encoder.fields(output, requests[i % 1000] as HeaderList, 0)
}

function encodeResponse(encoder: HpackEncoder, output: OutputBuffer, i: number): void {
  encoder.begin(output)
  encoder.status(output, 200)
  encoder.fields(output, responses[i % 1000] as HeaderList, 200)
}

for (const [name, encode, part] of [
  ['request, 12 headers', encodeRequest, 'request'],
  ['response, 6 headers', encodeResponse, 'response'],
] as const) {
  const encoder = new HpackEncoder()
  const output = new OutputBuffer()
  const encodeNs: number[] = []
  const decodeNs: number[] = []
  const decoder = new HpackDecoder(16_384)
  const message = new MessageReader()
  let bytes = 0
  for (let round = 0; round < rounds; round++) {
    // Encoded twice: the table stays in step with the blocks that are kept.
    const kept: Buffer[] = []
    const start = performance.now()
    for (let i = 0; i < blocks; i++) {
      output.clear()
      encode(encoder, output, i)
      if (i < 5000) kept.push(Buffer.from(output.bytes.subarray(0, output.used)))
    }
    encodeNs.push(((performance.now() - start) * 1e6) / blocks)
    bytes = output.used
    if (round === 0) for (const block of kept) read(block)
    // Steady blocks change no table: they can be read again and again.
    const steady = kept.slice(-1000)
    const decodeStart = performance.now()
    for (let i = 0; i < blocks; i++) read(steady[i % 1000] as Buffer)
    decodeNs.push(((performance.now() - decodeStart) * 1e6) / blocks)
  }
  function read(block: Buffer): void {
    message.begin(part)
    decoder.decode(block, 0, block.length, message)
    const headers = message.takeHeaders()
    if (part === 'request') message.finishRequest()
    if (message.problem !== undefined || headers.size < 4) throw new Error(message.problem ?? 'headers are missing')
  }
  console.log(`${name}: encode ${best(encodeNs)} ns, decode ${best(decodeNs)} ns, ${bytes} bytes`)
}

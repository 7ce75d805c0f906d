// What is refused on a real mesh before it becomes a request: each bound has its reason in the metrics, and callers that behave notice nothing.
import assert from 'node:assert/strict'
import { connect as connectHttp2 } from 'node:http2'
import { after, before, test } from 'node:test'
import { connect as connectTls } from 'node:tls'

import { send } from '../kit/http-client.ts'
import { frame, get, preface, settings, uint32 } from '../kit/http2-frames.ts'
import { rawClient } from '../kit/raw-client.ts'
import { eventually, type RunningMesh, startMesh } from '../kit/running-mesh.ts'
import { serverAddress, streamingMesh } from '../kit/streaming-mesh.ts'

let mesh: RunningMesh
let address = ''
before(async () => {
  mesh = await startMesh({ files: [await streamingMesh()] })
  address = serverAddress(mesh)
})
after(async () => {
  await mesh.stop()
})

const repeated = (count: number, one: (i: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => one(i)))
const http2 = (...frames: Buffer[]): Buffer => Buffer.concat([preface, settings(), ...frames])
const get1 = 'GET / HTTP/1.1\r\nHost: server\r\n'

const cases: readonly (readonly [reason: string, bytes: Buffer | string])[] = [
  ['a header line is folded', `${get1} b: c\r\n\r\n`],
  ['both Content-Length and Transfer-Encoding', `${get1}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`],
  ['the first line is longer than 16384 bytes', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\n\r\n`],
  ['the head is longer than 65536 bytes', `${get1}${`a: ${'b'.repeat(1_000)}\r\n`.repeat(70)}\r\n`],
  ['more than 128 header lines', `${get1}${'a: b\r\n'.repeat(129)}\r\n`],
  ['the request does not start with a method', '\x01\x02\x03\x04 what is this?\r\n\r\n'],
  [
    'too many streams opened and reset',
    http2(repeated(2_000, (i) => Buffer.concat([get(i * 2 + 1), frame(3, 0, i * 2 + 1, uint32(8))]))),
  ],
  ['too many SETTINGS frames', http2(repeated(200, () => settings()))],
  ['too many frames that carry nothing', http2(repeated(3_000, () => frame(6, 0, 0, Buffer.alloc(8))))],
  [
    'a header block goes on and on',
    http2(
      frame(1, 1, 1),
      repeated(64, () => frame(9, 0, 1, Buffer.alloc(4_096))),
    ),
  ],
  ['a frame is larger than was allowed', http2(frame(0, 0, 1, Buffer.alloc(20_000)))],
  ['the first frame is not SETTINGS', Buffer.concat([preface, get(1)])],
]

test('every bound is met, counted by its reason, and felt by nobody else', async () => {
  const port = Number(address.split(':')[1])
  const well = connectHttp2(`http://${address}`)
  for (const [reason, bytes] of cases) {
    const client = await rawClient(port)
    client.write(bytes)
    await client.closed()
    client.socket.destroy()
    await eventually(async () => assert.equal((await refusals())[reason], 1, reason), 3_000)
    assert.equal((await send({ address, target: '/' })).status, 200)
    const status = await new Promise((resolve, reject) => {
      const stream = well.request({ ':path': '/', ':authority': address })
      stream
        .on('response', (headers) => resolve(headers[':status']))
        .on('error', reject)
        .resume()
    })
    assert.equal(status, 200)
  }
  assert.deepEqual(Object.keys(await refusals()).toSorted(), cases.map(([reason]) => reason).toSorted())
  well.close()
})

test('so is what shows no identity at a sidecar that demands one', async () => {
  const [port] = mesh.workload('server').inbound.map(({ address: at }) => Number(at.split(':')[1]))
  const plain = await rawClient(port as number)
  plain.write(`${get1}\r\n`)
  await plain.closed()
  const nameless = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false })
  nameless.on('error', () => {}).resume()
  await new Promise((resolve) => nameless.once('close', resolve))
  await eventually(async () => {
    assert.deepEqual(await refusals('server'), {
      'plaintext on a listener that demands mutual TLS': 1,
      'TLS handshake failed': 1,
    })
  }, 3_000)
})

async function refusals(workload = 'client'): Promise<Record<string, number>> {
  const { body } = await send({ address: new URL(mesh.workload(workload).metricsUrl).host, target: '/metrics' })
  const found: Record<string, number> = {}
  for (const [, labels = '', count] of body.matchAll(/^heddle_downstream_refused_total\{(.*)\} (\d+)$/gm)) {
    found[/reason="([^"]*)"/.exec(labels)?.[1] ?? ''] = Number(count)
  }
  return found
}

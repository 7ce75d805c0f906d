import { createHash } from 'node:crypto'
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'

import { describe, expect, it } from 'vitest'

import { until } from '../../../test/kit/until.ts'
import { HeaderList } from '../../core/header-list.ts'
import { compileCompression } from '../../policies/compression/compression.runtime.ts'
import type { ContentCoding } from '../../policies/compression/compression.spec.ts'
import type { ServerStream } from '../codec/http-stream.ts'
import { CompressedStream, CompressionSlots } from './compressed-stream.ts'

const text = Buffer.from('all the same words again and again, '.repeat(2_000))

const incompressible = Buffer.concat(
  Array.from({ length: 8_000 }, (_, index) => createHash('sha256').update(String(index)).digest()),
)

/** What is under way elsewhere has come by then. */
async function turns(): Promise<void> {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
}

function compressed(coding: ContentCoding, slots = new CompressionSlots(1)) {
  const log: string[] = []
  const sent: Buffer[] = []
  let takes = true
  const inner = {
    request: {
      method: 'GET',
      scheme: 'http',
      authority: 'a',
      path: '/',
      headers: HeaderList.of(['accept-encoding', '*']),
    },
    sendHead: (_: unknown, length: unknown) => log.push(`head ${String(length)}`),
    sendData(bytes: Uint8Array) {
      sent.push(Buffer.from(bytes))
      return takes
    },
    sendEnd: (trailers?: HeaderList) => log.push(`end${trailers === undefined ? '' : ' with trailers'}`),
    abort: () => log.push('abort'),
  } as unknown as ServerStream
  const owner = { finish: () => log.push('finish'), compressedDrained: () => log.push('drained') }
  const compressors = [
    compileCompression({ codings: [{ coding, level: 4 }], contentTypes: ['text/plain'], minContentLengthBytes: 10 }),
  ]
  const stream = new CompressedStream(inner, { compressors, slots }, owner)
  const begin = (type = 'text/plain'): void =>
    stream.sendHead({ status: 200, headers: HeaderList.of(['content-type', type]) }, text.length)
  return { log, stream, begin, body: () => Buffer.concat(sent), setTakes: (value: boolean) => (takes = value) }
}

describe('a compressed stream', () => {
  it.each([
    ['gzip', gunzipSync],
    ['br', brotliDecompressSync],
    ['zstd', zstdDecompressSync],
  ] as const)('compresses a body with %s, and ends once all has gone', async (coding, decompress) => {
    const { log, stream, begin, body } = compressed(coding)
    begin()
    for (let at = 0; at < text.length; at += 10_000) stream.sendData(text.subarray(at, at + 10_000))
    stream.sendEnd(new HeaderList())
    stream.finish()
    expect(log.filter((entry) => entry !== 'drained')).toEqual(['head unknown'])
    await until('it is over', () => log.includes('finish'))
    expect(log.filter((entry) => entry !== 'drained')).toEqual(['head unknown', 'end with trailers', 'finish'])
    expect(decompress(body())).toEqual(text)
    expect(body().length).toBeLessThan(text.length / 20)
  })

  it('sends what it has when nothing more comes for now', async () => {
    const { stream, begin, body } = compressed('gzip')
    begin()
    stream.sendData(Buffer.from('data: one\n\n'))
    await until('the first event goes', () => body().length > 10)
    const first = body().length
    stream.sendData(Buffer.from('data: two\n\n'))
    await until('the second event goes', () => body().length > first)
    stream.cancel()
  })

  it('has its sender wait for a caller that takes no more, and keeps little meanwhile', async () => {
    const { log, stream, begin, body, setTakes } = compressed('gzip')
    begin()
    setTakes(false)
    expect(stream.sendData(incompressible)).toBe(false)
    await until('it begins', () => body().length > 0)
    await turns()
    expect(log).toEqual(['head unknown'])
    expect(body().length).toBeLessThan(incompressible.length / 4)
    setTakes(true)
    stream.callerDrained()
    await until('there is room', () => log.includes('drained'))
    stream.cancel()
  })

  it('lets through as it is what is not to be compressed, and what is too much at once', () => {
    const slots = new CompressionSlots(1)
    const [first, second] = [compressed('gzip', slots), compressed('gzip', slots)]
    first.begin('image/png')
    first.stream.sendData(text)
    first.stream.sendEnd()
    first.stream.finish()
    expect(first.log).toEqual([`head ${text.length}`, 'end', 'finish'])
    expect(first.body()).toEqual(text)
    first.stream.callerDrained()
    expect(first.log.at(-1)).toBe('drained')
    const third = compressed('gzip', slots)
    second.begin()
    third.begin()
    expect([second.log, third.log]).toEqual([['head unknown'], [`head ${text.length}`]])
    second.stream.cancel()
    const fourth = compressed('gzip', slots)
    fourth.begin()
    expect(fourth.log).toEqual(['head unknown'])
    fourth.stream.cancel()
  })

  it('sends nothing more once it is given up', async () => {
    const { log, stream, begin, body } = compressed('gzip')
    begin()
    stream.sendData(text)
    stream.abort(new Error('gone'))
    expect(stream.sendData(text)).toBe(true)
    stream.sendEnd()
    stream.finish()
    await turns()
    expect(log).toEqual(['head unknown', 'abort', 'finish'])
    expect(body()).toHaveLength(0)
  })
})

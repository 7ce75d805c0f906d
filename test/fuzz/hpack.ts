// Fuzzes HPACK with mutated blocks: `node test/fuzz/hpack.ts [seconds] [seed]`. A decoder reads a block or throws HpackError, and what it read
// comes back from an encoder and a second decoder. A failure prints the seed and the block.
import assert from 'node:assert/strict'
import { join } from 'node:path'

import { HeaderList } from '../../src/core/header-list.ts'
import { createRandom } from '../../src/core/random.ts'
import { fieldKinds } from '../../src/proxy/codec/http2/header-rules.ts'
import { HpackDecoder } from '../../src/proxy/codec/http2/hpack/decoder.ts'
import { HpackEncoder } from '../../src/proxy/codec/http2/hpack/encoder.ts'
import { HpackError } from '../../src/proxy/codec/http2/hpack/hpack-error.ts'
import { OutputBuffer } from '../../src/proxy/io/output-buffer.ts'
import { mutate, readCorpus } from './http2-frames.ts'

/** Blocks of one connection, one a file, as hex. */
export function readBlocks(): Buffer[] {
  return readCorpus(join(import.meta.dirname, 'corpus/hpack'))
}

/** Both ends of one connection that goes on from block to block, until one cannot be read. */
export class HpackTrial {
  #decoder = new HpackDecoder(4096)
  readonly #encoder = new HpackEncoder()
  readonly #second = new HpackDecoder(16_384)

  try(block: Buffer): void {
    const lines: string[] = []
    try {
      this.#decoder.decode(block, 0, block.length, {
        field(kind, name, value) {
          if (kind === fieldKinds.regular) lines.push(name, value)
          assert.ok(name.length + value.length <= 16_384)
        },
      })
    } catch (error) {
      if (!(error instanceof HpackError)) throw error
      this.#decoder = new HpackDecoder(4096)
      return
    }
    const output = new OutputBuffer()
    this.#encoder.begin(output)
    this.#encoder.fields(output, new HeaderList(lines), 'none')
    const back: string[] = []
    this.#second.decode(output.bytes, 0, output.used, { field: (_kind, name, value) => back.push(name, value) })
    const rewritten = ['http2-settings', 'te']
    if (!lines.some((name, at) => at % 2 === 0 && rewritten.includes(name))) assert.deepEqual(back, lines)
  }
}

if (import.meta.main) {
  const [seconds = '10', seed = `${Date.now() >>> 0}`] = process.argv.slice(2)
  const random = createRandom(Number(seed))
  const corpus = readBlocks()
  const trial = new HpackTrial()
  const endMs = performance.now() + Number(seconds) * 1000
  let tried = 0
  while (performance.now() < endMs) {
    const block = mutate(random, corpus[random.int(corpus.length)] as Buffer)
    try {
      trial.try(block)
    } catch (error) {
      console.error(`seed ${seed}, input ${tried}:\n${block.toString('hex')}`)
      throw error
    }
    tried++
  }
  console.log(`${tried} inputs, seed ${seed}: nothing wrong`)
}

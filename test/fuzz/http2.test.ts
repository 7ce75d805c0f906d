// The fuzz targets of HTTP/2 for a bounded count: what they once found stays in the corpus.
import { describe, test } from 'vitest'

import { createRandom } from '../../src/core/random.ts'
import { HpackTrial, readBlocks } from './hpack.ts'
import { mutate, readCorpus, tryFrames } from './http2-frames.ts'

describe('HTTP/2', () => {
  test('frames of the corpus and 400 mutations of them', async () => {
    const random = createRandom(9113)
    const corpus = readCorpus()
    for (const bytes of corpus) await tryFrames(bytes, random)
    for (let i = 0; i < 400; i++) await tryFrames(mutate(random, corpus[random.int(corpus.length)] as Buffer), random)
  }, 60_000)

  test('header blocks of the corpus and 20,000 mutations of them', () => {
    const random = createRandom(7541)
    const corpus = readBlocks()
    const trial = new HpackTrial()
    for (const block of corpus) trial.try(block)
    for (let i = 0; i < 20_000; i++) trial.try(mutate(random, corpus[random.int(corpus.length)] as Buffer))
  })
})

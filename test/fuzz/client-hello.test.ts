// Fuzzes the reader of the ClientHello from saved inputs: it knows within its bound, and no cutting changes what it finds.
import { expect, it } from 'vitest'

import { createRandom } from '../../src/core/random.ts'
import { type ClientHello, clientHelloBytes, ClientHelloReader } from '../../src/proxy/detect/client-hello.ts'
import { mutateBytes, piecesOf, readCorpus } from './mutated-bytes.ts'

const corpus = readCorpus('client-hello')
const runs = 8_000

function read(pieces: readonly Uint8Array[]): ClientHello | 'invalid' | undefined {
  const reader = new ClientHelloReader()
  for (const piece of pieces) {
    const found = reader.push(piece)
    if (found !== undefined) return found
  }
  return undefined
}

it.each([...corpus])('judges %s as its name says', (name, bytes) => {
  expect(read([bytes]) === 'invalid').toBe(name.startsWith('bad-'))
})

it('knows within its bound, whatever comes in whatever pieces', () => {
  const random = createRandom(16)
  const seeds = [...corpus.values()]
  let accepted = 0
  for (let run = 0; run < runs; run++) {
    const bytes = mutateBytes(seeds, random)
    const whole = read([bytes])
    const replay = (): string => `run ${run}: ${bytes.toString('hex')}`
    expect(read(piecesOf(bytes, random)), replay()).toEqual(whole)
    if (bytes.length > clientHelloBytes) expect(whole, replay()).toBeDefined()
    if (whole === undefined || whole === 'invalid') continue
    accepted++
    if (whole.serverName !== undefined) expect(whole.serverName, replay()).toMatch(/^[a-z0-9_.-]{1,255}$/)
    expect(whole.alpn.every((name) => name.length > 0 && name.length < 256)).toBe(true)
  }
  expect(accepted).toBeGreaterThan(runs / 20)
})

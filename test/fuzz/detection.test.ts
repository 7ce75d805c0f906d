// Fuzzes detection from saved inputs: it settles within its bounds, hands on exactly the bytes that came, and no cutting changes the result.
import { expect, it } from 'vitest'

import { createRandom } from '../../src/core/random.ts'
import { clientHelloBytes } from '../../src/proxy/detect/client-hello.ts'
import { type ConnectionFacts, Detector, type DetectorOptions } from '../../src/proxy/detect/detector.ts'
import { ManualClock } from '../kit/manual-clock.ts'
import { MemoryConnection } from '../kit/memory-connection.ts'
import { mutateBytes, piecesOf, readCorpus } from './mutated-bytes.ts'

const seeds = [...readCorpus('detect').values(), ...readCorpus('client-hello').values()]
const runs = 4_000
const timeoutMs = 1_000

interface Found {
  readonly facts: ConnectionFacts
  readonly head: Buffer
  /** By the clock and not by the bytes. */
  readonly timedOut: boolean
}

function detect(pieces: readonly Uint8Array[], inspect: DetectorOptions['inspect']): Found {
  const clock = new ManualClock()
  const [connection] = MemoryConnection.pair()
  const results: Found[] = []
  let timedOut = false
  const detector = new Detector(connection, {
    clock,
    inspect,
    timeoutMs,
    onDetected: (facts, head) => results.push({ facts, head: Buffer.from(head), timedOut }),
    onClosed() {},
  })
  detector.start(new Uint8Array(0))
  for (const piece of pieces) {
    if (results.length === 0) detector.onData(piece)
  }
  timedOut = true
  clock.advance(timeoutMs)
  expect(results).toHaveLength(1)
  expect(clock.pendingCount).toBe(0)
  return results[0] as Found
}

it('settles within its bounds and loses no byte, whatever comes in whatever pieces', () => {
  const random = createRandom(64)
  const kinds = new Set<string>()
  for (let run = 0; run < runs; run++) {
    const bytes = mutateBytes(seeds, random)
    const pieces = piecesOf(bytes, random)
    const inspect = { tls: random.int(4) > 0, http: random.int(4) > 0, hello: random.int(2) > 0 }
    const replay = `run ${run}, ${JSON.stringify(inspect)}: ${bytes.toString('hex')}`
    const whole = detect([bytes], inspect)
    const cut = detect(pieces, inspect)
    expect(cut.facts, replay).toEqual(whole.facts)
    expect(cut.timedOut, replay).toBe(whole.timedOut)
    expect(bytes.subarray(0, cut.head.length).equals(cut.head), replay).toBe(true)
    expect(whole.head.equals(bytes), replay).toBe(true)
    if (bytes.length > clientHelloBytes) expect(whole.timedOut, replay).toBe(false)
    kinds.add(`${whole.facts.transport} ${whole.facts.applicationProtocols[0] ?? ''}`)
  }
  for (const kind of ['plaintext http/1.1', 'plaintext h2c', 'plaintext ', 'tls ', 'tls h2'])
    expect(kinds).toContain(kind)
})

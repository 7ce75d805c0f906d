// Saved inputs and small changes to them, for fuzz targets: the same Random gives the same sequence.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Random } from '../../src/core/random.ts'

/** By file name, in the order of their names. */
export function readCorpus(name: string): ReadonlyMap<string, Buffer> {
  const folder = join(import.meta.dirname, 'corpus', name)
  return new Map(
    readdirSync(folder)
      .toSorted()
      .map((file) => [file, readFileSync(join(folder, file))]),
  )
}

/** One of `seeds` with up to four changes: bytes changed, dropped, doubled, or taken from another seed. */
export function mutateBytes(seeds: readonly Buffer[], random: Random): Buffer {
  let bytes = pickOf(seeds, random)
  for (let changes = random.int(5); changes > 0; changes--) {
    const at = random.int(bytes.length + 1)
    const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)]
    const count = random.int(8)
    const kind = random.int(6)
    if (kind === 0) bytes = Buffer.concat([before, Buffer.from([random.int(256)]), after.subarray(1)])
    else if (kind === 1) bytes = Buffer.concat([before, after.subarray(count)])
    else if (kind === 2) bytes = Buffer.concat([before, after.subarray(0, count), after])
    else if (kind === 3) bytes = Buffer.concat([before, pickOf(seeds, random).subarray(random.int(64))])
    else if (kind === 4) bytes = before
    else bytes = Buffer.concat([before, Buffer.from([0, random.int(2) * 255]), after])
  }
  return bytes
}

/** Cuts at a few places. */
export function piecesOf(bytes: Buffer, random: Random): readonly Buffer[] {
  const cuts = Array.from({ length: random.int(6) }, () => random.int(bytes.length + 1)).toSorted((a, b) => a - b)
  return [...cuts, bytes.length].map((end, index) => bytes.subarray(index === 0 ? 0 : cuts[index - 1], end))
}

function pickOf(seeds: readonly Buffer[], random: Random): Buffer {
  return seeds[random.int(seeds.length)] as Buffer
}

// Runs one fuzz target: what is saved first, then changed inputs.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import type { Random } from '../../src/core/random.ts'
import type { FuzzTarget } from './fuzz-target.ts'
import { mutate } from './mutate.ts'

/** Returns how many inputs were tried. `untilMs`: as many as fit, else the target's number. Throws at the first defect, with the saved file's name. */
export async function fuzz(target: FuzzTarget, random: Random, untilMs?: number): Promise<number> {
  const folder = fileURLToPath(new URL(`corpus/${target.name}/`, import.meta.url))
  mkdirSync(folder, { recursive: true })
  const saved = readdirSync(folder)
    .filter((name) => name.endsWith('.bin'))
    .toSorted()
    .map((name) => readFileSync(`${folder}${name}`))
  const known = [...saved, ...target.seeds]
  let tried = 0
  for (const input of known) {
    await target.check(input)
    tried++
  }
  for (; untilMs === undefined ? tried < target.runs : Date.now() < untilMs; tried++) {
    const input = mutate(known, random)
    try {
      await target.check(input)
    } catch (error) {
      const file = `${folder}${tried}-${input.length}.bin`
      writeFileSync(file, input)
      throw new Error(`${target.name}: input saved as ${file}`, { cause: error })
    }
  }
  return tried
}

// `npm run fuzz [-- TARGET]`: changes saved inputs a little, for HEDDLE_FUZZ_SECONDS or a fixed number of times. An input that shows a defect
// is saved below corpus/, from where every later run tries it first.
import { createRandom } from '../../src/core/random.ts'
import { fuzz } from './fuzz-run.ts'
import { fuzzTargets } from './targets.ts'

const seconds = Number(process.env['HEDDLE_FUZZ_SECONDS'] ?? 0)
const only = process.argv[2]
const chosen = fuzzTargets.filter(({ name }) => only === undefined || name === only)
if (chosen.length === 0) throw new Error(`no target "${only}": ${fuzzTargets.map(({ name }) => name).join(', ')}`)
// Another sequence in every long run; the seed is printed to replay it.
const seed = Number(process.env['HEDDLE_FUZZ_SEED'] ?? (seconds === 0 ? 1 : Date.now() % 1_000_000))
for (const target of chosen) {
  const untilMs = seconds === 0 ? undefined : Date.now() + (seconds * 1_000) / chosen.length
  const tried = await fuzz(target, createRandom(seed), untilMs)
  console.log(`${target.name}: ${tried} inputs, seed ${seed}, nothing found`)
}

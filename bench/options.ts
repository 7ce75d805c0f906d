// What the benchmark's commands have in common: which works, how many rounds, how long.
import { parseArgs } from 'node:util'

import { type Pace, type Work, works } from './works.ts'

export interface BenchOptions {
  readonly works: readonly Work[]
  readonly rounds: number
  readonly pace: Pace
  readonly json: string | undefined
  readonly positionals: readonly string[]
}

export function readOptions(): BenchOptions {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      only: { type: 'string' },
      rounds: { type: 'string' },
    },
  })
  const wanted = values.only?.split(',')
  const unknown = wanted?.filter((name) => !works.some((work) => work.name === name)) ?? []
  if (unknown.length > 0) {
    console.error(`no such work: ${unknown.join(', ')}; there are ${works.map((work) => work.name).join(', ')}`)
    process.exit(2)
  }
  const pace: Pace = values.quick
    ? { seconds: 1, firstWarmupSeconds: 5, warmupSeconds: 0.5, hugeBodyBytes: 512 * 2 ** 20 }
    : { seconds: 2, firstWarmupSeconds: 8, warmupSeconds: 1, hugeBodyBytes: 10 * 2 ** 30 }
  return {
    works: works.filter((work) => wanted === undefined || wanted.includes(work.name)),
    rounds: Number(values.rounds ?? (values.quick ? 2 : 5)),
    pace,
    json: values.json,
    positionals,
  }
}

// The examples as documents: each folder compiles without a word of complaint. That they run is tested end to end.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { formatProblem } from '../src/contracts/problem.ts'
import { analyzeFiles } from '../src/control/configuration.ts'

const root = join(import.meta.dirname, '../examples')
const examples = readdirSync(root, { withFileTypes: true }).filter((one) => one.isDirectory())

describe('examples', () => {
  it.each(examples.map(({ name }) => name))('%s has no problem', (name) => {
    const folder = join(root, name)
    const files = readdirSync(folder)
      .filter((file) => file.endsWith('.yaml'))
      .toSorted()
      .map((file) => ({ path: file, text: readFileSync(join(folder, file), 'utf8'), folder }))
    const { problems, snapshot } = analyzeFiles(files)

    expect(problems.map(formatProblem)).toEqual([])
    expect(snapshot.workloads.size).toBeGreaterThan(1)
    for (const service of snapshot.services.values())
      for (const { endpoints } of service.ports) expect(endpoints, service.host).not.toEqual([])
  })
})

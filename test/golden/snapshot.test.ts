// Golden files: each folder's YAML → its snapshot, problems and statuses. UPDATE_GOLDEN=1 writes them anew; read the diff before you commit it.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { formatProblem } from '../../src/contracts/problem.ts'
import { analyzeFiles } from '../../src/control/configuration.ts'
import type { SourceFile } from '../../src/control/sources/source.ts'

const root = import.meta.dirname
const isCase = (folder: string): boolean => readdirSync(folder).some((file) => file.endsWith('.yaml'))
const cases = readdirSync(root, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() && isCase(join(root, entry.name)) ? [entry.name] : [],
)

function plain(_key: string, field: unknown): unknown {
  return field instanceof Map ? Object.fromEntries(field) : field
}

function json(value: unknown): string {
  return `${JSON.stringify(value, plain, 2)}\n`
}

function inputs(name: string): SourceFile[] {
  const files = readdirSync(join(root, name)).filter((file) => file.endsWith('.yaml'))
  return files.toSorted().map((file) => ({
    path: file,
    text: readFileSync(join(root, name, file), 'utf8'),
    folder: `/golden/${name}`,
  }))
}

describe.each(cases)('%s', (name) => {
  const { snapshot, problems, statuses } = analyzeFiles(inputs(name))
  const routed = [...statuses].filter(([id]) => !/^(Service|Workload|Namespace|EndpointSlice)\//.test(id))
  const outputs = {
    'snapshot.json': json(snapshot),
    'problems.txt': problems.map((problem) => `${formatProblem(problem)}\n`).join(''),
    'statuses.json': json(Object.fromEntries(routed)),
  }
  it.each(Object.entries(outputs))('%s is as it was', (file, actual) => {
    const path = join(root, name, file)
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, actual)
    expect(actual).toBe(existsSync(path) ? readFileSync(path, 'utf8') : 'no golden file: run with UPDATE_GOLDEN=1')
  })
})

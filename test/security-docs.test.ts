// Each guarantee in docs/security.md names a test, and the test is there.
import { readFileSync } from 'node:fs'

import { expect, it } from 'vitest'

const page = new URL('../docs/security.md', import.meta.url)
const text = readFileSync(page, 'utf8')
const named = [...text.matchAll(/\]\((\.\.\/[^)]+\.ts)\) "([^"]+)"/g)].map(([, file = '', name = '']) => [file, name])
const guarantees = text.split('\n').filter((line) => /^\| (?!-|guarantee|who)/.test(line) && line.includes('../'))

it('names tests', () => {
  expect(guarantees.length).toBeGreaterThan(20)
  for (const line of guarantees) expect(line).toMatch(/\]\(\.\.\/[^)]+\.ts\) "/)
})

it.each(named)('%s has "%s"', (file, name) => {
  expect(readFileSync(new URL(file, page), 'utf8')).toMatch(new RegExp(`\\b(it|test|describe)\\('${escaped(name)}'`))
})

function escaped(name: string): string {
  return name.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
}

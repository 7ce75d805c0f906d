// Every problem code has its page: what it means, an example, what to do.
import { readFileSync } from 'node:fs'

import { expect, it } from 'vitest'

import { problemCodes } from '../src/contracts/problem.ts'

const text = readFileSync(new URL('../docs/problems.md', import.meta.url), 'utf8')
const sections = new Map(
  text
    .split(/^## /m)
    .slice(1)
    .map((section) => [section.slice(0, section.indexOf('\n')).trim(), section]),
)

it('has a section for each code, and for nothing else', () => {
  expect([...sections.keys()]).toEqual(Object.keys(problemCodes))
})

it.each(Object.entries(problemCodes))('%s says its name, shows an example and says what to do', (code, name) => {
  const section = sections.get(code) ?? ''
  expect(section.toLowerCase()).toContain(`**${name.toLowerCase()}.**`)
  expect(section).toMatch(/```\n.*HDL\d{3}.*\n```\n\n\S/)
  expect(section).toContain(` ${code}: `)
})

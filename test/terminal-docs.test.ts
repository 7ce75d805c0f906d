// docs/terminal.md names every field that `heddle tap --where` knows. UPDATE_GOLDEN=1 writes the list.
import { readFileSync, writeFileSync } from 'node:fs'

import { expect, it } from 'vitest'

import { tappedFields } from '../src/contracts/record-fields.ts'

const file = new URL('../docs/terminal.md', import.meta.url)
const [begin, end] = ['<!-- fields: begin -->', '<!-- fields: end -->']

it('names every field that a condition may ask for', () => {
  const text = readFileSync(file, 'utf8')
  const names = Object.keys(tappedFields).map((name) => `\`${name}\``)
  const [before = '', rest = ''] = text.split(begin)
  const expected = `${before}${begin}\n\nFields: ${names.join(', ')}.\n\n${end}${rest.split(end)[1] ?? ''}`
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, expected)
  expect(readFileSync(file, 'utf8')).toBe(expected)
})

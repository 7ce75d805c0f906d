import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { lineDifference } from './line-difference.ts'

const text = fc
  .array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 40 })
  .map((lines) => lines.map((line) => `${line}\n`).join(''))

/** `before` with the hunks put into it. */
function patched(before: string, after: string): string {
  const lines = before === '' ? [] : before.replace(/\n$/, '').split('\n')
  const result: string[] = []
  let at = 0
  for (const { beforeStart, beforeCount, lines: changed } of lineDifference(before, after)) {
    const start = beforeCount === 0 ? beforeStart : beforeStart - 1
    result.push(...lines.slice(at, start), ...changed.filter(({ mark }) => mark !== '-').map((line) => line.text))
    at = start + beforeCount
  }
  return [...result, ...lines.slice(at)].map((line) => `${line}\n`).join('')
}

function manyLines(name: string): string {
  return Array.from({ length: 3_000 }, (_, index) => `${name} ${index}`).join('\n')
}

describe('the difference of two texts', () => {
  it('makes the one of the other', () => {
    fc.assert(
      fc.property(text, text, (before, after) => {
        expect(patched(before, after)).toBe(after)
      }),
    )
  })

  it('keeps three lines around what changed', () => {
    const before = Array.from({ length: 20 }, (_, index) => `line ${index}`).join('\n')
    const [hunk, ...others] = lineDifference(before, before.replace('line 9', 'another'))
    expect(others).toEqual([])
    expect(hunk).toMatchObject({ beforeStart: 7, beforeCount: 7, afterStart: 7, afterCount: 7 })
    expect(hunk?.lines.map(({ mark }) => mark).join('')).toBe('   -+   ')
  })

  it('takes what is too long to compare as replaced', () => {
    const [hunk] = lineDifference(`same\n${manyLines('a')}`, `same\n${manyLines('b')}`)
    expect(hunk).toMatchObject({ beforeCount: 3_001, afterCount: 3_001 })
  })
})

import { describe, expect, it } from 'vitest'

import { compareRevisions } from './revision-difference.ts'

function revision(number: number, documents: Readonly<Record<string, unknown>>) {
  return {
    revision: number,
    documents: new Map(Object.entries(documents).map(([id, value]) => [id, JSON.stringify(value)])),
  }
}

describe('the difference of two revisions', () => {
  it('names what was created, changed and deleted, and shows the lines', () => {
    const before = revision(3, { 'Service/d/a': { spec: { port: 1 } }, 'Service/d/b': { spec: 1 }, 'Service/d/c': 1 })
    const after = revision(4, { 'Service/d/a': { spec: { port: 2 } }, 'Service/d/c': 1, 'Service/d/d': { spec: 4 } })
    const { from, to, documents } = compareRevisions(before, after)
    expect([from, to]).toEqual([3, 4])
    const lines = documents.map(({ id, action, hunks }) => [
      id,
      action,
      hunks.flatMap((hunk) => hunk.lines.map(({ mark, text }) => mark + text)),
    ])
    expect(lines).toEqual([
      ['Service/d/a', 'changed', [' spec:', '-  port: 1', '+  port: 2']],
      ['Service/d/b', 'deleted', ['-spec: 1']],
      ['Service/d/d', 'created', ['+spec: 4']],
    ])
  })

  it('finds nothing where nothing differs', () => {
    const one = revision(3, { 'Service/d/a': 1 })
    expect(compareRevisions(one, { ...one, revision: 9 }).documents).toEqual([])
  })

  it('names what is too much to show', () => {
    const many = Object.fromEntries(Array.from({ length: 201 }, (_, index) => [`Service/d/${1_000 + index}`, index]))
    const { documents } = compareRevisions(revision(1, {}), revision(2, many))
    expect(documents).toHaveLength(201)
    expect(documents.filter(({ hunks }) => hunks.length === 0).map(({ id }) => id)).toEqual(['Service/d/1200'])
  })
})

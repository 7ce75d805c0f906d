// How often a mirror gets a copy.
import { describe, expect, it } from 'vitest'

import { createRandom } from '../../core/random.ts'
import { compileMirrors } from './mirror.runtime.ts'

describe('mirrors', () => {
  it('draws each by its own share', () => {
    const draw = compileMirrors([
      { cluster: 'all', numerator: 1, denominator: 1 },
      { cluster: 'half', numerator: 50, denominator: 100 },
      { cluster: 'few', numerator: 1, denominator: 1000 },
      { cluster: 'none', numerator: 0, denominator: 100 },
      { cluster: '', numerator: 1, denominator: 1 },
    ])
    const random = createRandom(3)
    const counts: Record<string, number> = {}
    for (let i = 0; i < 10_000; i++) for (const cluster of draw(random)) counts[cluster] = (counts[cluster] ?? 0) + 1
    expect(Object.keys(counts).toSorted()).toEqual(['all', 'few', 'half'])
    expect(counts['all']).toBe(10_000)
    expect(Math.abs((counts['half'] ?? 0) - 5000)).toBeLessThan(200)
    expect(counts['few']).toBeLessThan(30)
  })

  it('asks for no chance when there is nothing to draw', () => {
    const random = { next: () => expect.unreachable(), int: () => expect.unreachable() }
    expect(compileMirrors([])(random)).toEqual([])
    expect(compileMirrors([{ cluster: 'a', numerator: 100, denominator: 100 }])(random)).toEqual(['a'])
  })
})

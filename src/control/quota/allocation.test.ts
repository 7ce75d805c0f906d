import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { allocate } from './allocation.ts'

describe('the allocation of a rate', () => {
  it('is all of it, whatever is asked', () => {
    const demands = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 60 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), demands, (perSecond, asked) => {
        const shares = allocate(perSecond, asked)
        expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9)
        expect(Math.min(...shares)).toBeGreaterThanOrEqual(0)
      }),
    )
  })

  it('gives who asks for little what it asks for, and the others the rest evenly', () => {
    const [little, much, more] = allocate(100, [8, 500, 900])
    expect(little).toBeCloseTo(0.1)
    expect(much).toBeCloseTo(0.45)
    expect(more).toBeCloseTo(0.45)
  })

  it('deals out evenly what nobody asks for', () => {
    expect(allocate(100, [0, 0, 0, 0])).toEqual([0.25, 0.25, 0.25, 0.25])
    const [busy, idle] = allocate(100, [40, 0])
    expect(busy).toBeCloseTo(0.75)
    expect(idle).toBeCloseTo(0.25)
  })

  it('is nothing for nobody', () => {
    expect(allocate(100, [])).toEqual([])
  })
})

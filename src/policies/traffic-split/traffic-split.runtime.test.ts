// Weighted choice.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { createRandom } from '../../core/random.ts'
import { compileSplit } from './traffic-split.runtime.ts'

describe('a split', () => {
  it('is nothing without a weight above 0', () => {
    expect(compileSplit([])(createRandom(1))).toBeUndefined()
    expect(compileSplit([{ weight: 0 }, { weight: 0 }])(createRandom(1))).toBeUndefined()
  })

  it('takes each number of the total to exactly one item', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { minLength: 1, maxLength: 6 }), (weights) => {
        const items = weights.map((weight, index) => ({ weight, index }))
        const total = weights.reduce((sum, weight) => sum + weight, 0)
        fc.pre(total > 0)
        const split = compileSplit(items)
        const counts = weights.map(() => 0)
        const live = weights.filter((weight) => weight > 0).length
        for (let drawn = 0; drawn < total; drawn++) {
          const draw = split({ next: () => 0, int: () => drawn })
          expect(draw?.total).toBe(total)
          if (live > 1) expect(draw?.drawn).toBe(drawn)
          const index = draw?.item.index ?? -1
          counts[index] = (counts[index] ?? 0) + 1
        }
        expect(counts).toEqual(weights)
      }),
    )
  })
})

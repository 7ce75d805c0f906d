import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { editDistance, nearest } from './nearest.ts'

describe('nearest', () => {
  it.each([
    ['weigth', 'weight'],
    ['selecter', 'selector'],
    ['HttpRoute', 'HTTPRoute'],
    ['STRICKT', 'STRICT'],
  ])('finds what %s was meant to be', (word, meant) => {
    expect(nearest(word, ['weight', 'selector', 'HTTPRoute', 'STRICT', 'port'])).toBe(meant)
  })

  it('says nothing when nothing is near', () => {
    expect(nearest('frobnicate', ['port', 'name'])).toBeUndefined()
    expect(nearest('x', [])).toBeUndefined()
  })
})

describe('editDistance', () => {
  it('counts a swap of neighbours as one edit', () => {
    expect(editDistance('prot', 'port')).toBe(1)
  })

  it('is symmetric, and zero only for equal words', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
        const distance = editDistance(a, b)
        expect(distance).toBe(editDistance(b, a))
        expect(distance === 0).toBe(a === b)
        expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length))
      }),
    )
  })
})

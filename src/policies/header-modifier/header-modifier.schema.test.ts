import { describe, expect, it } from 'vitest'

import { headerModifierSchema, toHeaderModifierSpec } from './header-modifier.schema.ts'

describe('headerModifierSchema', () => {
  it('fills in empty lists and keeps names as written', () => {
    const filter = headerModifierSchema.parse({ set: [{ name: 'X-Set', value: 'a b' }] })
    expect(toHeaderModifierSpec(filter)).toEqual({ set: [{ name: 'X-Set', value: 'a b' }], add: [], remove: [] })
  })

  it.each([
    ['a name with a blank', { set: [{ name: 'X Set', value: 'a' }] }],
    ['a value that would break the line', { add: [{ name: 'x', value: 'a\r\nevil: 1' }] }],
    ['a value that ends in a blank', { add: [{ name: 'x', value: 'a ' }] }],
    ['an empty value', { add: [{ name: 'x', value: '' }] }],
    [
      'one name twice, in another case',
      {
        set: [
          { name: 'x', value: 'a' },
          { name: 'X', value: 'b' },
        ],
      },
    ],
    ['an unknown field', { replace: [] }],
  ])('refuses %s', (_what, filter) => {
    expect(headerModifierSchema.safeParse(filter).success).toBe(false)
  })
})

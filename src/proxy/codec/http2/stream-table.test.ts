import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { StreamTable } from './stream-table.ts'

test('holds what a map would, whatever ids a peer chooses', () => {
  // Multiples of large powers of two want the same place.
  const ids = fc.tuple(fc.nat(40), fc.constantFrom(2, 16, 64, 1 << 20)).map(([times, step]) => times * step + 1)
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), ids), { maxLength: 300 }), (steps) => {
      const table = new StreamTable<{ readonly id: number }>()
      const map = new Map<number, { readonly id: number }>()
      for (const [add, id] of steps) {
        const known = map.get(id)
        if (add && known === undefined) {
          const stream = { id }
          table.add(stream)
          map.set(id, stream)
        } else if (!add) {
          expect(table.delete(known ?? { id })).toBe(map.delete(id))
        }
        expect(table.get(id)).toBe(map.get(id))
        expect(table.size).toBe(map.size)
      }
      for (const [id, stream] of map) expect(table.get(id)).toBe(stream)
      expect(table.list().toSorted((a, b) => a.id - b.id)).toEqual([...map.values()].toSorted((a, b) => a.id - b.id))
    }),
  )
})

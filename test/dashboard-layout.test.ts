import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { layOut } from '../dashboard/src/topology/layout.ts'

describe('where the nodes of the topology stand', () => {
  it('is left of what they call, and the same however they are listed', () => {
    const links = [
      { from: 'web', to: 'cart' },
      { from: 'cart', to: 'store' },
      { from: 'web', to: 'store' },
    ]
    const places = layOut(['web', 'cart', 'store', 'idle'], links)
    const x = (id: string): number => places.get(id)?.x ?? Number.NaN
    expect(x('web')).toBeLessThan(x('cart'))
    expect(x('cart')).toBeLessThan(x('store'))
    expect(places.get('idle')?.y).toBeGreaterThan(
      Math.max(...['web', 'cart', 'store'].map((id) => places.get(id)?.y ?? 0)),
    )
    expect(layOut(['idle', 'store', 'web', 'cart'], links.toReversed())).toEqual(places)
  })

  it('is a place of its own for each, also where calls go round in circles', () => {
    const ids = fc.uniqueArray(fc.integer({ min: 0, max: 40 }).map(String), { minLength: 1 })
    const pairs = fc.array(fc.tuple(fc.nat(100), fc.nat(100)), { maxLength: 120 })
    fc.assert(
      fc.property(ids, pairs, (nodes, drawn) => {
        const at = (index: number): string => nodes[index % nodes.length] as string
        const places = layOut(
          nodes,
          drawn.map(([from, to]) => ({ from: at(from), to: at(to) })),
        )
        expect([...places.keys()].toSorted()).toEqual(nodes.toSorted())
        expect(new Set([...places.values()].map(({ x, y }) => `${x} ${y}`)).size).toBe(nodes.length)
      }),
    )
  })

  it('is found for 1,000 services with 5,000 edges', () => {
    const nodes = Array.from({ length: 1_000 }, (_, index) => `service/ns-${index % 20}/s-${index}`)
    const links = Array.from({ length: 5_000 }, (_, index) => ({
      from: nodes[(index * 7) % 1_000] as string,
      to: nodes[(index * 13 + Math.floor(index / 1_000)) % 1_000] as string,
    }))
    expect(layOut(nodes, links).size).toBe(1_000)
  })
})

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { TrafficRing, countKinds } from './traffic-ring.ts'

function sums(ring: TrafficRing, fromMs: number, toMs: number): Map<string, number> {
  const found = new Map<string, number>()
  ring.forEach(fromMs, toMs, (series, kind, count) => {
    const key = `${series} ${kind}`
    found.set(key, (found.get(key) ?? 0) + count)
  })
  return found
}

describe('the ring of counts', () => {
  it('gives back what was added, of the slots asked for', () => {
    const counts = fc.array(fc.integer({ min: 0, max: 2 ** 28 - 1 }), { minLength: countKinds, maxLength: countKinds })
    const added = fc.record({ afterMs: fc.nat(3_000), series: fc.nat(2 ** 28 - 1), counts })
    fc.assert(
      fc.property(fc.array(added, { maxLength: 40 }), fc.nat(60), fc.nat(60), (all, from, length) => {
        const ring = new TrafficRing({ slotMs: 1_000, slots: 1_000, maxWords: 1_000_000 })
        const expected = new Map<string, number>()
        let atMs = 0
        for (const one of all) {
          atMs += one.afterMs
          ring.add(atMs, one.series, one.counts)
          const slot = Math.floor(atMs / 1_000)
          if (slot < from || slot >= from + length) continue
          for (const [kind, count] of one.counts.entries()) {
            const key = `${one.series} ${kind}`
            if (count > 0) expected.set(key, (expected.get(key) ?? 0) + count)
          }
        }
        expect(sums(ring, from * 1_000, (from + length) * 1_000)).toEqual(expected)
      }),
    )
  })

  it('keeps so many slots', () => {
    const ring = new TrafficRing({ slotMs: 1_000, slots: 10, maxWords: 1_000_000 })
    for (let second = 0; second < 25; second++) ring.add(second * 1_000, second, [1])
    expect([...sums(ring, 0, Infinity).keys()]).toEqual(Array.from({ length: 10 }, (_, index) => `${index + 15} 0`))
    expect(ring.knownSinceMs(24_000)).toBe(15_000)
  })

  it('takes no more room for what is reported often', () => {
    const ring = new TrafficRing({ slotMs: 1_000, slots: 10, maxWords: 50_000 })
    ring.add(0, 1, [5])
    for (let one = 0; one < 200_000; one++) ring.add(1_000, one % 100, [1, 1])
    expect(ring.knownSinceMs(1_000)).toBeLessThanOrEqual(0)
    expect(sums(ring, 0, 1_000)).toEqual(new Map([['1 0', 5]]))
    expect(new Set(sums(ring, 1_000, 2_000).values())).toEqual(new Set([2_000]))
  })

  it('gives the oldest up when there is no more room, and says so', () => {
    const ring = new TrafficRing({ slotMs: 1_000, slots: 1_000, maxWords: 2_000 })
    for (let second = 0; second < 100; second++) {
      for (let series = 0; series < 50; series++) ring.add(second * 1_000, series, [1])
    }
    const sinceMs = ring.knownSinceMs(99_000)
    expect(sinceMs).toBeGreaterThan(80_000)
    expect(sinceMs).toBeLessThan(99_000)
    const kept = [...sums(ring, 0, Infinity).values()]
    expect(kept).toEqual(Array.from({ length: 50 }, () => 100 - sinceMs / 1_000))
  })
})

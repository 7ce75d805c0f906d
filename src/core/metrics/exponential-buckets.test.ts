// Exponential buckets: every observation is in the one bucket whose bounds it lies between.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { ExponentialBuckets, exponentialScale, zeroThresholdSeconds } from './exponential-buckets.ts'

const base = 2 ** (2 ** -exponentialScale)

describe('exponential buckets', () => {
  it('hold every observation between their bounds, in whatever order they come', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1_000_000, noNaN: true }), { maxLength: 30 }), (values) => {
        const buckets = new ExponentialBuckets(0)
        for (const value of values) buckets.observe(3, value)
        const { offset, counts, zeroCount, sum } = buckets.of(3)
        expect(zeroCount).toBe(values.filter((value) => value <= zeroThresholdSeconds).length)
        expect(sum).toBeCloseTo(
          values.reduce((all, value) => all + value, 0),
          3,
        )
        for (const [at, count] of counts.entries()) {
          // a bound is a double too: what lies within its last digits may be on either side
          const [low, high] = [base ** (offset + at) * (1 - 1e-12), base ** (offset + at + 1) * (1 + 1e-12)]
          const within = values.filter((value) => value > Math.max(low, zeroThresholdSeconds) && value <= high).length
          expect(within).toBeGreaterThanOrEqual(count)
        }
        expect(counts.reduce((all, count) => all + count, zeroCount)).toBe(values.length)
      }),
    )
  })

  it('have powers of two in the bucket that ends there', () => {
    const buckets = new ExponentialBuckets(0)
    for (let power = -29; power <= 20; power++) {
      buckets.observe(power + 29, 2 ** power)
      const { offset, counts } = buckets.of(power + 29)
      expect(offset + counts.indexOf(1) + 1).toBe(power * 2 ** exponentialScale)
    }
  })

  it('are bounded: nothing is less than a nanosecond, nothing more than half a year', () => {
    const buckets = new ExponentialBuckets(0)
    for (const value of [-1, 1e-300, Number.NaN, 1e300, Number.POSITIVE_INFINITY, 1e-9]) buckets.observe(0, value)
    const { offset, counts, zeroCount } = buckets.of(0)
    expect(zeroCount).toBe(3)
    expect(counts.at(-1)).toBe(2)
    expect(offset).toBeGreaterThanOrEqual(-30 * 8)
    expect(counts.length).toBeLessThanOrEqual(54 * 8)
  })
})

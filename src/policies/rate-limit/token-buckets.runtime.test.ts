import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { mostBuckets, TokenBuckets } from './token-buckets.runtime.ts'

const tenASecond = { maxTokens: 10, tokensPerFill: 10, fillIntervalMs: 1_000 }

function taken(buckets: TokenBuckets, key: string, nowMs: number, times: number): number {
  let count = 0
  for (let i = 0; i < times; i++) if (buckets.take(key, nowMs) === 0) count++
  return count
}

describe('token buckets', () => {
  it('let pass what they hold, and then what comes in', () => {
    const buckets = new TokenBuckets(tenASecond, 1)
    expect(taken(buckets, 'a', 0, 50)).toBe(10)
    expect(taken(buckets, 'a', 99, 50)).toBe(0)
    expect(taken(buckets, 'a', 100, 50)).toBe(1)
    expect(taken(buckets, 'a', 350, 50)).toBe(2)
    expect(taken(buckets, 'a', 400, 50)).toBe(1)
    expect(taken(buckets, 'a', 1e9, 50)).toBe(10)
  })

  it('say how long to wait, and keep their word', () => {
    const buckets = new TokenBuckets(tenASecond, 1)
    taken(buckets, 'a', 0, 10)
    const waitMs = buckets.take('a', 30)
    expect(waitMs).toBeCloseTo(70)
    expect(buckets.take('a', 30 + waitMs)).toBe(0)
  })

  it('never let pass more than they held and got, nor less while there is demand', () => {
    const steps = fc.array(fc.double({ min: 0, max: 500, noNaN: true }), { minLength: 1, maxLength: 200 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 100 }), steps, (max, perFill, gaps) => {
        const buckets = new TokenBuckets({ maxTokens: max, tokensPerFill: perFill, fillIntervalMs: 1_000 }, 1)
        let nowMs = 0
        let tokens = max
        for (const gapMs of gaps) {
          nowMs += gapMs
          tokens = Math.min(max, tokens + (gapMs * perFill) / 1_000)
          const passes = taken(buckets, 'a', nowMs, 3)
          expect(passes).toBeLessThanOrEqual(tokens + 1e-6)
          expect(passes).toBeGreaterThanOrEqual(Math.min(3, Math.floor(tokens - 1e-6)))
          tokens -= passes
        }
      }),
    )
  })

  it('lose nothing to fractions: a million requests at 3 a second get 3 a second', () => {
    const buckets = new TokenBuckets({ maxTokens: 1, tokensPerFill: 3, fillIntervalMs: 1_000 }, 1)
    let passed = 0
    for (let i = 0; i < 1_000_000; i++) if (buckets.take('a', i) === 0) passed++
    // what is full waits for the next millisecond: 334 ms where 333.3 would do
    expect(passed).toBeGreaterThan(2_990)
    expect(passed).toBeLessThanOrEqual(3_001)
  })

  it('count each key for itself, and forget the one that was idle longest', () => {
    const buckets = new TokenBuckets({ maxTokens: 1, tokensPerFill: 1, fillIntervalMs: 3_600_000 }, 1)
    for (let key = 0; key < mostBuckets; key++) expect(buckets.take(String(key), 0)).toBe(0)
    expect(buckets.take('0', 1)).toBeGreaterThan(0)
    expect(buckets.take('new', 2)).toBe(0)
    expect(buckets.size).toBe(mostBuckets)
    expect(buckets.take('0', 3), 'used since').toBeGreaterThan(0)
    expect(buckets.take('1', 3), 'forgotten').toBe(0)
  })

  it('tell long keys apart', () => {
    const buckets = new TokenBuckets({ maxTokens: 1, tokensPerFill: 1, fillIntervalMs: 3_600_000 }, 1)
    const long = 'x'.repeat(60_000)
    expect([buckets.take(`${long}a`, 0), buckets.take(`${long}b`, 0)]).toEqual([0, 0])
    expect(buckets.take(`${long}a`, 0)).toBeGreaterThan(0)
  })

  it('hold the share of a process, and one token at least', () => {
    expect(taken(new TokenBuckets(tenASecond, 1 / 4), 'a', 0, 50)).toBe(2)
    const small = new TokenBuckets({ maxTokens: 2, tokensPerFill: 2, fillIntervalMs: 1_000 }, 1 / 4)
    expect(taken(small, 'a', 0, 50)).toBe(1)
    expect(taken(small, 'a', 1_000, 50)).toBe(0)
    expect(taken(small, 'a', 2_000, 50)).toBe(1)
  })
})

// Bounds on retries over time.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { defaultRetryConstraint } from './retries.schema.ts'
import { RetryBudget } from './retry-budget.runtime.ts'

function allowed(budget: RetryBudget, nowMs: number): number {
  let count = 0
  while (count < 10_000 && budget.tryRetry(nowMs)) count++
  return count
}

describe('a retry budget', () => {
  it('always allows its floor, anew in each of its intervals', () => {
    const budget = new RetryBudget(defaultRetryConstraint)
    expect(allowed(budget, 0)).toBe(10)
    expect(allowed(budget, 900)).toBe(0)
    expect(allowed(budget, 1_000)).toBe(10)
  })

  it('allows its share of the requests within the interval, however many fail at once', () => {
    const budget = new RetryBudget(defaultRetryConstraint)
    for (let i = 0; i < 1_000; i++) budget.requestStarted(i)
    expect(allowed(budget, 1_000)).toBe(200)
    // the floor of each second, and nothing of the share
    expect(allowed(budget, 5_000)).toBe(10)
  })

  it('forgets requests, and retries with them', () => {
    const budget = new RetryBudget(defaultRetryConstraint)
    for (let i = 0; i < 1_000; i++) budget.requestStarted(0)
    expect(allowed(budget, 9_000)).toBe(200)
    expect(allowed(budget, 12_000)).toBe(10)
    expect(allowed(budget, 1e9)).toBe(10)
  })

  it('allows none when both are 0', () => {
    const budget = new RetryBudget({ ...defaultRetryConstraint, percent: 0, minRetries: 0 })
    budget.requestStarted(0)
    expect(allowed(budget, 0)).toBe(0)
  })

  it('never lets more be repeated than share and floor together, whatever the order of events', () => {
    const events = fc.array(fc.record({ afterMs: fc.nat(3_000), what: fc.constantFrom('request', 'retry') }), {
      maxLength: 400,
    })
    fc.assert(
      fc.property(fc.nat(100), fc.nat(5), events, (percent, minRetries, list) => {
        const budget = new RetryBudget({ percent, intervalMs: 10_000, minRetries, minIntervalMs: 1_000 })
        let [nowMs, requests, retries] = [0, 0, 0]
        for (const { afterMs, what } of list) {
          nowMs += afterMs
          if (what === 'request') {
            budget.requestStarted(nowMs)
            requests++
          } else if (budget.tryRetry(nowMs)) retries++
          // counts forget in steps: the floor of a second may come back after nine tenths of it
          const floor = minRetries * (1 + nowMs / 900)
          expect(retries).toBeLessThanOrEqual((requests * percent) / 100 + floor)
        }
      }),
      { numRuns: 1_000 },
    )
  })
})

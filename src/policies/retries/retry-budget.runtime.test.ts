// Bounds on concurrent retries.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { createRetryBudget } from './retry-budget.runtime.ts'

describe('a retry budget', () => {
  it('always allows its floor', () => {
    const budget = createRetryBudget({ percent: 20, minConcurrency: 3 })
    expect([1, 2, 3, 4].map(() => budget.tryRetry())).toEqual([true, true, true, false])
  })

  it('allows its share of the active requests', () => {
    const budget = createRetryBudget({ percent: 20, minConcurrency: 3 })
    for (let i = 0; i < 50; i++) budget.requestStarted()
    let allowed = 0
    while (budget.tryRetry()) allowed++
    expect(allowed).toBe(10)
    for (let i = 0; i < 50; i++) budget.requestFinished()
    for (let i = 0; i < 8; i++) budget.retryFinished()
    expect(budget.tryRetry()).toBe(true)
    expect(budget.tryRetry()).toBe(false)
  })

  it('allows none when both are 0', () => {
    const budget = createRetryBudget({ percent: 0, minConcurrency: 0 })
    budget.requestStarted()
    expect(budget.tryRetry()).toBe(false)
  })

  it('never goes beyond the larger of both, whatever the order of events', () => {
    fc.assert(
      fc.property(
        fc.nat(100),
        fc.nat(5),
        fc.array(fc.constantFrom('start', 'retry', 'done')),
        (percent, floor, events) => {
          const budget = createRetryBudget({ percent, minConcurrency: floor })
          for (const event of events) {
            if (event === 'start') budget.requestStarted()
            else if (event === 'done' && budget.activeRetries > 0) budget.retryFinished()
            else if (event === 'retry') budget.tryRetry()
            expect(budget.activeRetries).toBeLessThanOrEqual(Math.max(floor, (budget.activeRequests * percent) / 100))
          }
        },
      ),
    )
  })
})

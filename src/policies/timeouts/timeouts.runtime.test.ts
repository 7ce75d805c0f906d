// Deadlines of requests and attempts.
import { describe, expect, it } from 'vitest'

import { attemptDeadlineMs, requestDeadlineMs } from './timeouts.runtime.ts'

describe('deadlines', () => {
  it('are never without a bound given, or with a bound of 0', () => {
    expect(requestDeadlineMs({}, 100)).toBe(Number.POSITIVE_INFINITY)
    expect(requestDeadlineMs({ requestMs: 0 }, 100)).toBe(Number.POSITIVE_INFINITY)
    expect(attemptDeadlineMs({ backendRequestMs: 0 }, Number.POSITIVE_INFINITY, 100)).toBe(Number.POSITIVE_INFINITY)
  })

  it('bound the request from its start', () => {
    expect(requestDeadlineMs({ requestMs: 500 }, 100)).toBe(600)
  })

  it('bound each attempt from its own start, but never beyond the request', () => {
    const spec = { requestMs: 500, backendRequestMs: 200 }
    const whole = requestDeadlineMs(spec, 100)
    expect(attemptDeadlineMs(spec, whole, 100)).toBe(300)
    expect(attemptDeadlineMs(spec, whole, 300)).toBe(500)
    expect(attemptDeadlineMs(spec, whole, 500)).toBe(600)
    expect(attemptDeadlineMs({ requestMs: 500 }, whole, 500)).toBe(600)
  })
})

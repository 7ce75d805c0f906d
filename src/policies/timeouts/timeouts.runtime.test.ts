// Deadlines of requests and attempts.
import { describe, expect, it } from 'vitest'

import {
  attemptDeadlineMs,
  formatExpectedTimeout,
  formatGrpcTimeout,
  parseExpectedTimeout,
  parseGrpcTimeout,
  requestDeadlineMs,
} from './timeouts.runtime.ts'

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

describe('x-envoy-expected-rq-timeout-ms', () => {
  it.each([
    ['250', 250],
    ['0', undefined],
    ['', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['1e3', undefined],
    ['99999999999', undefined],
  ])('%j is %s ms', (value, expected) => {
    expect(parseExpectedTimeout(value)).toBe(expected)
  })

  it.each([
    [250, '250'],
    [249.2, '250'],
    [250.000_000_1, '250'],
    [0, '1'],
    [-3, '1'],
    [1e15, '9999999999'],
  ])('%d ms is said as %s', (timeoutMs, expected) => {
    expect(formatExpectedTimeout(timeoutMs)).toBe(expected)
    expect(parseExpectedTimeout(expected)).toBe(Number(expected))
  })
})

describe('grpc-timeout', () => {
  it.each([
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['3S', 3_000],
    ['100m', 100],
    ['500u', 0.5],
    ['1000000n', 1],
    ['0n', 0],
    ['99999999H', 99_999_999 * 3_600_000],
  ])('%s is %d ms', (value, expected) => {
    expect(parseGrpcTimeout(value)).toBeCloseTo(expected, 9)
  })

  it.each(['', 'S', '1', '1s', '123456789S', '-1S', '1.5S', ' 1S', '1S ', '1mS', '1h', 'xS'])('%j is none', (value) => {
    expect(parseGrpcTimeout(value)).toBeUndefined()
  })

  it.each([
    [0.5, '500u'],
    [1_500, '1500000u'],
    [99_999.9995, '100000m'],
    [200_000, '200000m'],
    [3.6e8, '360000S'],
    [1e15, '99999999S'],
    [0, '1u'],
    [-3, '1u'],
  ])('%d ms is said as %s', (timeoutMs, expected) => {
    expect(formatGrpcTimeout(timeoutMs)).toBe(expected)
  })

  it('bounds the request when it is shorter than what the route allows', () => {
    expect(requestDeadlineMs({ requestMs: 500 }, 100, 200)).toBe(300)
    expect(requestDeadlineMs({ requestMs: 500 }, 100, 900)).toBe(600)
    expect(requestDeadlineMs({}, 100, 200)).toBe(300)
    expect(requestDeadlineMs({}, 100, 0)).toBe(100)
  })
})

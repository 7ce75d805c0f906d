import { describe, expect, it } from 'vitest'

import { formatAge, formatLatency, formatTime } from './format.ts'

describe('formatAge', () => {
  it.each([
    [-5, '0s'],
    [0, '0s'],
    [250, '250ms'],
    [12_400, '12s'],
    [185_000, '3m05s'],
    [8_040_000, '2h14m'],
    [5 * 86_400_000, '5d'],
  ])('%d ms is %s', (ms, text) => expect(formatAge(ms)).toBe(text))
})

describe('formatLatency', () => {
  it.each([
    [undefined, '-'],
    [0.854, '0.85ms'],
    [12.34, '12.3ms'],
    [1200, '1.20s'],
  ])('%s is %s', (ms, text) => expect(formatLatency(ms)).toBe(text))
})

describe('formatTime', () => {
  it('is ISO 8601 in UTC', () => {
    expect(formatTime(1_700_000_000_000)).toBe('2023-11-14T22:13:20Z')
    expect(formatTime(1_700_000_000_123)).toBe('2023-11-14T22:13:20.123Z')
  })
})

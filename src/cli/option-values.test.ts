import { describe, expect, it } from 'vitest'

import { parseTime } from './option-values.ts'

describe('a time', () => {
  it.each([
    ['30', 30_000],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['6h', 21_600_000],
  ])('%s is %d ms', (text, ms) => expect(parseTime(text)).toBe(ms))

  it.each(['', '0', '0s', '-5', '500ms', '7h', '10d', 'soon', '5m '])('is not "%s"', (text) =>
    expect(() => parseTime(text)).toThrow(/^A (time|duration) is /),
  )
})

import { describe, expect, it } from 'vitest'

import { parseServer, parseTime } from './option-values.ts'

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

describe('a server', () => {
  it.each(['http://127.0.0.1:9090', 'https://prometheus.example/team'])('may be at %s', (text) =>
    expect(parseServer(text)).toBe(text),
  )

  it.each(['prometheus:9090', '127.0.0.1:9090', 'file:///x', 'http://a/?b', 'http://a/#b', ''])('is not "%s"', (text) =>
    expect(() => parseServer(text)).toThrow('A server is'),
  )

  it('is told without credentials', () =>
    expect(() => parseServer('http://user:secret@prometheus:9090')).toThrow('without credentials'))
})

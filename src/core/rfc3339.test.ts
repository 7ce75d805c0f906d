import { expect, it } from 'vitest'

import { formatRfc3339, parseRfc3339 } from './rfc3339.ts'

it('times are read as RFC 3339 has them, and written in UTC', () => {
  expect(formatRfc3339(parseRfc3339('2030-01-31T02:00:00+01:00') ?? 0)).toBe('2030-01-31T01:00:00.000Z')
  expect(formatRfc3339(parseRfc3339('2030-01-31T02:00:00.5Z') ?? 0)).toBe('2030-01-31T02:00:00.500Z')
  for (const text of ['tomorrow', '2030-01-31', '2030-01-31T02:00:00', '2030-13-31T02:00:00Z', '1e3'])
    expect(parseRfc3339(text), text).toBeUndefined()
})

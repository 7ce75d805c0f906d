import { expect, it } from 'vitest'

import { requestMirrorSchema, toMirrorShare } from './mirror.schema.ts'

const backendRef = { name: 'shadow', port: 80 }

it.each([
  [{}, { numerator: 100, denominator: 100 }],
  [{ percent: 0 }, { numerator: 0, denominator: 100 }],
  [{ percent: 42 }, { numerator: 42, denominator: 100 }],
  [{ fraction: { numerator: 1 } }, { numerator: 1, denominator: 100 }],
  [{ fraction: { numerator: 1, denominator: 1000 } }, { numerator: 1, denominator: 1000 }],
])('takes the share %j', (share, expected) => {
  expect(toMirrorShare(requestMirrorSchema.parse({ backendRef, ...share }))).toEqual(expected)
})

it.each([
  [{ backendRef, percent: 1, fraction: { numerator: 1 } }],
  [{ backendRef, fraction: { numerator: 2, denominator: 1 } }],
  [{ backendRef, fraction: { numerator: 1, denominator: 0 } }],
  [{ backendRef: { name: 'shadow' } }],
  [{}],
])('refuses %j', (filter) => {
  expect(requestMirrorSchema.safeParse(filter).success).toBe(false)
})

import { expect, it } from 'vitest'

import { timeoutsSchema, toTimeoutsSpec } from './timeouts.schema.ts'

it.each([
  [{}, {}],
  [{ request: '1m30s' }, { requestMs: 90_000 }],
  [
    { request: '10s', backendRequest: '10s' },
    { requestMs: 10_000, backendRequestMs: 10_000 },
  ],
  [{ request: '0s', backendRequest: '1h2m3s4ms' }, { backendRequestMs: 3_723_004 }],
])('translates %j', (timeouts, spec) => {
  expect(toTimeoutsSpec(timeoutsSchema.parse(timeouts))).toEqual(spec)
})

it.each([
  [{ request: '1s', backendRequest: '1001ms' }],
  [{ request: '1.5s' }],
  [{ request: '-1s' }],
  [{ request: '100000s' }],
  [{ request: '1d' }],
  [{ request: 10 }],
])('refuses %j', (timeouts) => {
  expect(timeoutsSchema.safeParse(timeouts).success).toBe(false)
})

import { expect, it } from 'vitest'

import { retrySchema, toRetrySpec } from './retries.schema.ts'

it('retries once by default, from 25 ms of back-off', () => {
  expect(toRetrySpec(retrySchema.parse({}))).toEqual({ attempts: 1, statusCodes: [], backoffMs: 25 })
})

it.each([[{ attempts: 0 }], [{ codes: [399] }], [{ codes: ['503'] }], [{ backoff: 100 }]])('refuses %j', (retry) => {
  expect(retrySchema.safeParse(retry).success).toBe(false)
})

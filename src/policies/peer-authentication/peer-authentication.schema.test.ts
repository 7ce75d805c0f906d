import { expect, it } from 'vitest'

import { peerAuthenticationSchema } from './peer-authentication.schema.ts'

it('is strict unless told otherwise', () => {
  expect(peerAuthenticationSchema.parse({})).toEqual({ mode: 'STRICT' })
  expect(peerAuthenticationSchema.safeParse({ mode: 'strict' }).success).toBe(false)
})

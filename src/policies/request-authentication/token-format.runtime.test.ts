// Whatever a caller sends is either a token or a fault that a caller may see.
import * as fc from 'fast-check'
import { expect, it } from 'vitest'

import { readToken, TokenFault } from './token-format.runtime.ts'

const base64url = (text: string): string => Buffer.from(text).toString('base64url')
const header = fc.record(
  {
    alg: fc.oneof(fc.constantFrom('ES256', 'RS256', 'none', 'HS256'), fc.jsonValue()),
    kid: fc.oneof(fc.string(), fc.jsonValue()),
    crit: fc.jsonValue(),
    b64: fc.boolean(),
    cty: fc.constantFrom('JWT', 'json'),
  },
  { requiredKeys: ['alg'] },
)
const time = fc.oneof(fc.integer(), fc.jsonValue())
const claims = fc.record(
  { iss: fc.oneof(fc.string(), fc.jsonValue()), sub: fc.jsonValue(), aud: fc.jsonValue(), exp: time, nbf: time },
  { requiredKeys: [] },
)
const part = fc.oneof(
  fc.string(),
  fc.json().map(base64url),
  header.map((value) => base64url(JSON.stringify(value))),
  claims.map((value) => base64url(JSON.stringify(value))),
)

it('reads a token or says what is wrong with it, and nothing else', () => {
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 4 }).map((parts) => parts.join('.')),
      (text) => {
        try {
          const token = readToken(text)
          expect(['ES256', 'RS256']).toContain(token.algorithm)
          expect(['undefined', 'string']).toContain(typeof token.kid)
          expect(typeof token.issuer + typeof token.subject).toBe('stringstring')
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(TokenFault)
        }
      },
    ),
    { numRuns: 500 },
  )
})

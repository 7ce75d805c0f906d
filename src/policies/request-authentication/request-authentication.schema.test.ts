// What a RequestAuthentication may say, and that its complaints show no key.
import { generateKeyPairSync } from 'node:crypto'

import { describe, expect, it } from 'vitest'
import { z } from 'zod'

import { requestAuthenticationSpecShape, toJwtRules } from './request-authentication.schema.ts'
import type { RequestAuthenticationFields } from './request-authentication.schema.ts'

const schema = z.strictObject(requestAuthenticationSpecShape)
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const publicKey = { ...ec.publicKey.export({ format: 'jwk' }), kid: 'one' }
const jwks = JSON.stringify({ keys: [publicKey] })
const jwksUri = 'https://issuer.example/jwks.json'

function problemsOf(...rules: readonly object[]): string[] {
  const result = schema.safeParse({ jwtRules: rules.map((rule) => ({ issuer: 'a', ...rule })) })
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
}

it('fills in what is left out', () => {
  const fields = schema.parse({ jwtRules: [{ issuer: 'a', jwksUri }] }) as unknown as RequestAuthenticationFields
  expect(toJwtRules(fields)).toEqual([
    {
      issuer: 'a',
      audiences: [],
      jwksUri,
      timeoutMs: 5000,
      fromHeaders: [],
      fromParams: [],
      fromCookies: [],
      forwardOriginalToken: false,
      outputClaimToHeaders: [],
    },
  ])
  expect(schema.parse({})).toEqual({ jwtRules: [] })
})

it('takes everything that a rule can say', () => {
  const rule = {
    audiences: ['shop'],
    jwks,
    timeout: '1s',
    fromHeaders: [{ name: 'x-token' }, { name: 'Authorization', prefix: 'Bearer ' }],
    fromParams: ['token'],
    fromCookies: ['session'],
    outputPayloadToHeader: 'x-payload',
    forwardOriginalToken: true,
    outputClaimToHeaders: [{ header: 'x-user', claim: 'sub' }],
  }
  expect(problemsOf(rule, { issuer: 'b', jwksUri })).toEqual([])
})

describe('keys', () => {
  it.each([
    [{}, 'jwksUri: "jwksUri" or "jwks" is missing'],
    [{ jwks, jwksUri }, 'jwksUri: Give either'],
    [{ jwksUri: 'issuer.example' }, 'jwksUri: "jwksUri" must be an http or https URL'],
    [{ jwksUri: 'file:///etc/keys' }, 'jwksUri: "jwksUri" must be an http or https URL'],
    [{ jwksUri: 'https://me:hunter2@issuer.example/' }, 'jwksUri: "jwksUri" must not hold a user or password'],
    [{ jwks: '{"keys"' }, 'jwks: The text of "jwks" is not valid JSON'],
    [{ jwks: '[]' }, 'jwks: The text of "jwks" is not a JSON Web Key Set'],
    [{ jwks: '{"keys":{}}' }, 'jwks: The text of "jwks" is not a JSON Web Key Set'],
    [{ jwks: '{"keys":[]}' }, 'jwks: The text of "jwks" has no keys'],
  ])('are wanted once and rightly: %j', (rule, problem) => {
    expect(problemsOf(rule)).toEqual([expect.stringContaining(`jwtRules.0.${problem}`)])
  })

  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' })
  it.each<[string, unknown]>([
    ['is a private key', { ...ec.privateKey.export({ format: 'jwk' }), kid: 'two' }],
    ['is a symmetric key', { kty: 'oct', k: 'aHVudGVyMg', kid: 'two' }],
    ['is a symmetric key', { ...publicKey, k: 'aHVudGVyMg', kid: 'two' }],
    ['is not a valid public key', { ...publicKey, x: 'AAAA', kid: 'two' }],
    ['is not a valid public key', { kty: 'EC', kid: 'two' }],
    ['has 1024 bits', { ...weak, kid: 'two' }],
  ])('that cannot be used are named, not shown: %s', (problem, key) => {
    const problems = problemsOf({ jwks: JSON.stringify({ keys: [publicKey, key] }) })
    expect(problems).toEqual([expect.stringContaining(`key 2 of 2 ("two") ${problem}`)])
    for (const value of Object.values(key as Record<string, string>))
      if (value.length > 8) expect(problems[0]).not.toContain(value)
  })

  it.each([
    ['"kid" that is not a string', { ...publicKey, kid: 1 }],
    ['is not an object', 'key'],
    ['has no key that could verify', { ...publicKey, use: 'enc' }],
  ])('have to be keys for tokens: %s', (problem, key) => {
    expect(problemsOf({ jwks: JSON.stringify({ keys: [key] }) })).toEqual([expect.stringContaining(problem)])
  })

  it('of a text that is not JSON are not shown', () => {
    expect(problemsOf({ jwks: '{"keys":[{"kty":"oct","k":hunter2' }).join('')).not.toContain('hunter2')
    expect(problemsOf({ jwksUri: 'ftp://me:hunter2@issuer.example/' }).join('')).not.toContain('hunter2')
  })
})

describe('a rule is refused', () => {
  it.each<[string, readonly object[], string]>([
    ['for an issuer that has one', [{ jwks }, { jwks }], '1.issuer: The issuer "a" has a rule already'],
    ['without issuer', [{ issuer: '', jwks }], '0.issuer: '],
    ['with a field that is not known', [{ jwks, jwks_uri: jwksUri }], '0: '],
    ['with a header that is none', [{ jwks, fromHeaders: [{ name: 'x token' }] }], '0.fromHeaders.0.name: '],
    [
      'with a prefix of two lines',
      [{ jwks, fromHeaders: [{ name: 'x', prefix: 'a\r\nb' }] }],
      '0.fromHeaders.0.prefix: ',
    ],
    ['with a parameter that is none', [{ jwks, fromParams: ['a=b'] }], '0.fromParams.0: '],
    ['with a cookie that is none', [{ jwks, fromCookies: ['a;b'] }], '0.fromCookies.0: '],
    ['without time', [{ jwks, timeout: '0s' }], '0.timeout: "timeout" must be more than 0'],
    ['that writes to Host', [{ jwks, outputPayloadToHeader: 'Host' }], '0.outputPayloadToHeader: This header belongs'],
    [
      'that writes to Content-Length',
      [{ jwks, outputClaimToHeaders: [{ header: 'content-length', claim: 'n' }] }],
      '0.outputClaimToHeaders.0.header: This header belongs',
    ],
    [
      'that writes twice to a header',
      [{ jwks, outputPayloadToHeader: 'X-A', outputClaimToHeaders: [{ header: 'x-a', claim: 'n' }] }],
      '0.outputClaimToHeaders.0.header: Something else is written to the header "x-a"',
    ],
    [
      'that writes where tokens are read',
      [{ jwks, outputPayloadToHeader: 'Authorization' }],
      '0.outputPayloadToHeader: Tokens are read',
    ],
    [
      'that writes where another reads tokens',
      [
        { jwks, fromHeaders: [{ name: 'X-A' }] },
        { issuer: 'b', jwks, outputClaimToHeaders: [{ header: 'x-a', claim: 'n' }] },
      ],
      '1.outputClaimToHeaders.0.header: Tokens are read',
    ],
  ])('%s', (_, rules, problem) => {
    expect(problemsOf(...rules)).toEqual([expect.stringContaining(`jwtRules.${problem}`)])
  })
})

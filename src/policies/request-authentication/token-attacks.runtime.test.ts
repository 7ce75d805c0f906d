// Tokens that somebody made to get in: signed by a real key where that is the point, else put together by hand.
import { createHmac, sign } from 'node:crypto'

import { describe, expect, it } from 'vitest'

import {
  bearer,
  filterOf,
  goodClaims,
  issuer,
  jwt,
  nowSeconds,
  p256,
  request,
  rsa,
  sharedSecret,
  stranger,
} from '../../../test/kit/json-web-tokens.ts'
import type { FilterResult } from '../../contracts/http-filter.ts'

const base64url = (text: string): string => Buffer.from(text).toString('base64url')

/** Really signed, whatever the two texts are. */
function signed(headerText: string, payloadText = JSON.stringify(goodClaims)): string {
  const input = `${base64url(headerText)}.${base64url(payloadText)}`
  const signature = sign('sha256', Buffer.from(input), { key: p256.privateKey, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}

const es256 = JSON.stringify({ alg: 'ES256', kid: 'p256' })
const headerWith = (members: object): string => JSON.stringify({ alg: 'ES256', kid: 'p256', ...members })
const claimsWith = (members: object): string => JSON.stringify({ ...goodClaims, ...members })

function hmacSigned(header: object, secret: string | Buffer): string {
  const input = `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(goodClaims))}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

function expectRefused(result: FilterResult, detail: string | RegExp): void {
  expect(result).toMatchObject({ status: 401, flags: [], detail: expect.stringMatching(detail) as string })
  expect(result?.headers).toEqual(['www-authenticate', 'Bearer realm="shop.example", error="invalid_token"'])
}

it('a token signed by this hand is good, so that the others fail for what they say', async () => {
  expect(await filterOf({}).filter.apply(bearer(signed(es256)))).toBeUndefined()
})

describe('a forged or malformed token is refused:', () => {
  const publicPem = rsa.publicKey.export({ type: 'spki', format: 'pem' })
  const none = `${base64url('{"alg":"none"}')}.${base64url(JSON.stringify(goodClaims))}`
  const embedded = { jwk: stranger.publicKey.export({ format: 'jwk' }) }
  const deep = `${'['.repeat(40)}${']'.repeat(40)}`
  it.each<[string, string | Promise<string>, string]>([
    ['HMAC with the public key as secret', hmacSigned({ alg: 'HS256', kid: 'rsa' }, publicPem), 'not supported'],
    ['HMAC with a secret of the key set', hmacSigned({ alg: 'HS256', kid: 'secret' }, sharedSecret), 'not supported'],
    ['alg none, no signature', `${none}.`, 'signature is an invalid'],
    ['alg none, any signature', `${none}.YQ`, 'alg\\] is not supported'],
    ['alg None', signed(headerWith({ alg: 'None' })), 'alg\\] is not supported'],
    ['alg es256', signed(headerWith({ alg: 'es256' })), 'alg\\] is not supported'],
    ['alg ES256K', signed(headerWith({ alg: 'ES256K' })), 'alg\\] is not supported'],
    ['alg missing', signed('{"kid":"p256"}'), 'alg\\] field is required'],
    ['alg a list', signed(headerWith({ alg: ['ES256'] })), 'alg\\] field is required'],
    ['alg of another curve', signed(headerWith({ alg: 'ES384' })), "doesn't have key"],
    ['alg of another type of key', signed(headerWith({ alg: 'RS256' })), "doesn't have key"],
    ['alg that the key excludes', jwt(goodClaims, { alg: 'PS256', kid: 'only-rs256' }, rsa.privateKey), 'have key'],
    ['a key for encryption', jwt(goodClaims, { alg: 'RS256', kid: 'for-encryption' }, rsa.privateKey), 'have key'],
    ['a private key that was published', jwt(goodClaims, { kid: 'private' }, stranger.privateKey), 'have key'],
    ['a key for agreement', signed(headerWith({ kid: 'for-agreement' })), "doesn't have key"],
    ['kid unknown', jwt(goodClaims, { kid: 'other' }), "doesn't have key"],
    ['kid missing', signed('{"alg":"ES256"}'), "doesn't have key"],
    ['kid a path', signed(headerWith({ kid: '../../../dev/null' })), "doesn't have key"],
    ['kid empty', signed(headerWith({ kid: '' })), "doesn't have key"],
    ['kid a number', signed(headerWith({ kid: 1 })), 'kid\\] field is not a string'],
    ['kid null', signed(headerWith({ kid: null })), 'kid\\] field is not a string'],
    ['crit', signed(headerWith({ crit: ['exp'] })), 'crit\\] is not supported'],
    ['b64 false', signed(headerWith({ b64: false })), 'b64\\] is not supported'],
    ['nested', signed(headerWith({ cty: 'JWT' })), 'cty\\] is not supported'],
    ['nested, other case', signed(headerWith({ cty: 'jwt' })), 'cty\\] is not supported'],
    ['encrypted header', signed(headerWith({ enc: 'A256GCM' })), 'enc\\] is not supported'],
    ['JWE', 'e30.e30.e30.e30.e30', 'two dots and 3 sections'],
    ['two parts', 'e30.e30', 'two dots and 3 sections'],
    ['opaque', 'abcdef', 'two dots and 3 sections'],
    ['empty parts', '..', 'header is an invalid Base64url'],
    ['another key', jwt(goodClaims, {}, stranger.privateKey), 'verification fails'],
    ['another key, embedded', jwt(goodClaims, embedded, stranger.privateKey), 'verification fails'],
    [
      'another key, by URL',
      jwt(goodClaims, { jku: 'https://evil.example' }, stranger.privateKey),
      'verification fails',
    ],
    [
      'another key, by x5u',
      jwt(goodClaims, { x5u: 'https://evil.example' }, stranger.privateKey),
      'verification fails',
    ],
    ['a signature of zeros', `${base64url(es256)}.${base64url(JSON.stringify(goodClaims))}.${'A'.repeat(86)}`, 'fails'],
    ['a header that is no object', signed('"ES256"'), 'header is an invalid JSON'],
    ['a header that is a list', signed('[]'), 'header is an invalid JSON'],
    ['a payload that is no JSON', signed(es256, 'hello'), 'payload is an invalid JSON'],
    ['a payload that is a list', signed(es256, '[1]'), 'payload is an invalid JSON'],
    ['a member twice in the header', signed(`{"alg":"ES256","kid":"x","kid":"p256"}`), 'header is an invalid JSON'],
    ['a member twice in the payload', signed(es256, `{"iss":"${issuer}","sub":"bob","sub":"alice"}`), 'payload is an'],
    ['a member twice, once escaped', signed(es256, `{"iss":"${issuer}","\\u0073ub":"bob","sub":"a"}`), 'payload is an'],
    ['a member twice, further in', signed(es256, `{"iss":"${issuer}","a":[{"b":1,"b":2}]}`), 'payload is an invalid'],
    ['deep JSON', signed(es256, `{"iss":"${issuer}","a":${deep}}`), 'payload is an invalid JSON'],
    ['deep JSON that never ends', signed(es256, '['.repeat(9000)), 'payload is an invalid JSON'],
    ['oversized', signed(es256, claimsWith({ a: 'a'.repeat(16_384) })), 'too large'],
    ['iss missing', signed(es256, '{"sub":"alice"}'), 'issuer is not configured'],
    ['iss unknown', signed(es256, claimsWith({ iss: `${issuer}/` })), 'issuer is not configured'],
    ['iss a list', signed(es256, claimsWith({ iss: [issuer] })), 'iss\\] field is not a string'],
    ['iss null', signed(es256, claimsWith({ iss: null })), 'iss\\] field is not a string'],
    ['sub a number', signed(es256, claimsWith({ sub: 1 })), 'sub\\] field is not a string'],
    ['aud a number', signed(es256, claimsWith({ aud: 1 })), 'aud\\] field is not a string'],
    ['aud a list with a number', signed(es256, claimsWith({ aud: ['a', 1] })), 'aud\\] field is not a string'],
    ['exp a text', signed(es256, claimsWith({ exp: '9999999999' })), 'exp\\] field is not a number'],
    ['exp null', signed(es256, claimsWith({ exp: null })), 'exp\\] field is not a number'],
    ['exp infinite', signed(es256, `{"iss":"${issuer}","exp":1e999}`), 'exp\\] field is not a number'],
    ['nbf a text', signed(es256, claimsWith({ nbf: '0' })), 'nbf\\] field is not a number'],
    ['expired', jwt({ ...goodClaims, exp: nowSeconds - 60 }), 'Jwt is expired'],
    ['not yet valid', jwt({ ...goodClaims, nbf: nowSeconds + 61 }), 'Jwt not yet valid'],
  ])('%s', async (_, token, detail) => {
    const one = bearer(await token)
    expectRefused(await filterOf({}).filter.apply(one), detail)
    expect(one.token).toBeUndefined()
  })

  it('UTF-8 that is not', async () => {
    const input = `${base64url(es256)}.${Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]).toString('base64url')}`
    expectRefused(await filterOf({}).filter.apply(bearer(`${input}.YQ`)), 'payload is an invalid JSON')
  })

  it('any other text of the same signature', async () => {
    const token = signed(es256)
    for (const other of [`${token}=`, `${token}\n`, `${token} `, `${token.slice(0, -1)}%`, `${token}a`]) {
      const one = request([], `/?t=${encodeURIComponent(other)}`)
      expectRefused(await filterOf({ fromParams: ['t'] }).filter.apply(one), 'signature is an invalid Base64url')
    }
  })
})

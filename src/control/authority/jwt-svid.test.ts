import { generateKeyPairSync, sign } from 'node:crypto'
import type { X509Certificate } from 'node:crypto'

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { userAuthority } from '../../../test/kit/user-authority.ts'
import { verifyJwtSvid } from '../../contracts/identity/jwt-svid.ts'
import type { JwtSvidExpectation, JwtSvidReading } from '../../contracts/identity/jwt-svid.ts'
import { jwtKey, signJwtSvid } from './jwt-svid.ts'
import { newKeyPair } from './key-pair.ts'
import { jwtBundleKey, spiffeBundle } from './spiffe-bundle.ts'

const key = jwtKey(newKeyPair().privateKey)
const other = jwtKey(newKeyPair().privateKey)
const roots = [userAuthority(), userAuthority({ keyType: 'rsa' })].map(({ chain }) => chain[0] as X509Certificate)
const bundle = spiffeBundle(roots, [other, key].map(jwtBundleKey), { sequence: 7, refreshHintMs: 300_000 })
const issuedAtMs = 1_700_000_000_000
const web = {
  spiffeId: 'spiffe://mesh.local/ns/default/sa/web',
  audience: ['reviews', 'ratings'],
  issuedAtMs,
  expiresAtMs: issuedAtMs + 300_000,
}
const expectation: JwtSvidExpectation = { bundle, trustDomain: 'mesh.local', audience: 'reviews', nowMs: issuedAtMs }

function read(token: string, change: Partial<JwtSvidExpectation> = {}): JwtSvidReading {
  return verifyJwtSvid(token, { ...expectation, ...change })
}

/** Signed rightly, whatever it says. */
function forged(header: object, claims: object): string {
  const signed = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  const signature = sign('sha256', Buffer.from(signed), { key: key.privateKey, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')}`
}

const header = { alg: 'ES256', kid: key.kid, typ: 'JWT' }
const claims = { sub: web.spiffeId, aud: ['reviews'], exp: issuedAtMs / 1000 + 300 }

describe('a JWT-SVID', () => {
  it('says who it is, for whom, and until when', () => {
    const token = signJwtSvid(key, web)
    expect(read(token)).toEqual({ svid: web })
    expect(read(token, { audience: 'ratings' })).toEqual({ svid: web })
    const [head, body] = token.split('.').map((part) => Buffer.from(part, 'base64url').toString())
    expect(JSON.parse(head as string)).toEqual(header)
    expect(JSON.parse(body as string)).toEqual({
      sub: web.spiffeId,
      aud: web.audience,
      iat: 1_700_000_000,
      exp: 1_700_000_300,
    })
  })

  it('needs not have what the standard leaves open', () => {
    const { alg, kid } = header
    expect(read(forged({ alg, kid }, { ...claims, aud: 'reviews' })).svid?.audience).toEqual(['reviews'])
    expect(read(forged({ alg, kid, typ: 'JOSE' }, { ...claims, more: 1 })).svid?.spiffeId).toBe(web.spiffeId)
  })

  it.each([
    ['another algorithm', { ...header, alg: 'ES384' }, claims, /not ES256/],
    ['no algorithm', { ...header, alg: 'none' }, claims, /not ES256/],
    ['a symmetric algorithm', { ...header, alg: 'HS256' }, claims, /not ES256/],
    ['another type', { ...header, typ: 'at+jwt' }, claims, /neither JWT nor JOSE/],
    ['an extension that must be understood', { ...header, crit: ['b64'] }, claims, /demands an extension/],
    ['an unknown key', { ...header, kid: 'x' }, claims, /not in the trust bundle/],
    ['no key', { alg: 'ES256' }, claims, /not in the trust bundle/],
    ["another key's name", { ...header, kid: other.kid }, claims, /signature does not fit/],
    ['no subject', header, { ...claims, sub: undefined }, /no subject/],
    ['a subject that is no SPIFFE ID', header, { ...claims, sub: 'web' }, /does not start with spiffe:/],
    ['the SPIFFE ID of a whole domain', header, { ...claims, sub: 'spiffe://mesh.local' }, /no path/],
    ['a SPIFFE ID with an empty segment', header, { ...claims, sub: 'spiffe://mesh.local/a/' }, /empty segment/],
    ['another trust domain', header, { ...claims, sub: 'spiffe://other.local/a' }, /another trust domain/],
    ['no audience', header, { ...claims, aud: undefined }, /somebody else/],
    ['another audience', header, { ...claims, aud: ['payment'] }, /somebody else/],
    ['no end', header, { ...claims, exp: undefined }, /no end/],
    ['an end that is a text', header, { ...claims, exp: '1800000000' }, /no end/],
    ['an end in the past', header, { ...claims, exp: issuedAtMs / 1000 }, /has expired/],
    ['a beginning in the future', header, { ...claims, nbf: issuedAtMs / 1000 + 1 }, /not valid yet/],
  ])('is refused with %s', (_, head, body, why) => {
    expect(read(forged(head, body)).fault).toMatch(why)
  })

  it('is refused when it was changed anywhere, or is something else', () => {
    const token = signJwtSvid(key, web)
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.constantFrom('A', 'Q', 'g', 'w', '_', '-', '.'), (at, character) => {
        const changed = token.slice(0, at) + character + token.slice(at + 1)
        expect(read(changed).fault === undefined).toBe(changed === token)
      }),
    )
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(read(text).fault).toBeDefined()
      }),
    )
    for (const text of ['', '..', `${token}.`, `${token}.x`, `${token}=`, ` ${token}`]) {
      expect(read(text).fault).toBe('it is no JWS in compact form')
    }
  })

  it('is refused by the roots of X.509-SVIDs, and once its key has left the bundle', () => {
    const token = signJwtSvid(key, web)
    expect(read(token, { bundle: { keys: [jwtBundleKey(other)] } }).fault).toMatch(/not in the trust bundle/)
  })

  it('is not signed when it would not be one', () => {
    expect(() => signJwtSvid(key, { ...web, spiffeId: 'spiffe://mesh.local' })).toThrow('has no path')
    expect(() => signJwtSvid(key, { ...web, audience: [] })).toThrow('name its audience')
    expect(() => signJwtSvid(key, { ...web, audience: [''] })).toThrow('name its audience')
    expect(() => signJwtSvid(key, { ...web, expiresAtMs: issuedAtMs })).toThrow('ends after it begins')
    const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    expect(() => jwtKey(p384.privateKey)).toThrow('P-256')
  })
})

describe('the trust bundle as a JWK set', () => {
  it('has each root with its certificate, each JWT key with its name, and nothing private', () => {
    expect(bundle.spiffe_sequence).toBe(7)
    expect(bundle.spiffe_refresh_hint).toBeGreaterThan(0)
    const [ecdsa, rsa, ...jwt] = bundle.keys
    expect(ecdsa).toMatchObject({ use: 'x509-svid', kty: 'EC', crv: 'P-384' })
    expect(rsa).toMatchObject({ use: 'x509-svid', kty: 'RSA' })
    for (const [i, one] of [ecdsa, rsa].entries()) {
      expect(one).not.toHaveProperty('kid')
      expect(one?.x5c?.map((text) => Buffer.from(text, 'base64'))).toEqual([roots[i]?.raw])
    }
    expect(jwt.map(({ use, kty, crv, kid }) => ({ use, kty, crv, kid }))).toEqual(
      [other, key].map(({ kid }) => ({ use: 'jwt-svid', kty: 'EC', crv: 'P-256', kid })),
    )
    expect(JSON.stringify(bundle)).not.toMatch(/"(d|p|q|k)":/)
  })

  it('names a key by its thumbprint', () => {
    const jwk = { ...key.publicJwk }
    expect(key.kid).toMatch(/^[\w-]{43}$/)
    expect(jwtKey(key.privateKey).kid).toBe(key.kid)
    expect(Object.keys(jwk).toSorted()).toEqual(['crv', 'kty', 'x', 'y'])
  })
})

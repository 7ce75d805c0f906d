// JWT-SVIDs (SPIFFE JWT-SVID standard): signs the compact form, ES256 only.
import { createHash, createPublicKey, sign } from 'node:crypto'
import type { JsonWebKey, KeyObject } from 'node:crypto'

import { subjectFault, type JwtSvidContent } from '../../contracts/identity/jwt-svid.ts'

/** ECDSA P-256. */
export interface JwtKey {
  readonly privateKey: KeyObject
  readonly publicJwk: JsonWebKey
  readonly kid: string
}

/** The key's name is its thumbprint (RFC 7638), so that the same key has the same one everywhere. */
export function jwtKey(privateKey: KeyObject): JwtKey {
  const publicJwk = createPublicKey(privateKey).export({ format: 'jwk' })
  const { crv, kty, x, y } = publicJwk
  if (crv !== 'P-256') throw new TypeError('JWT-SVIDs are signed with ECDSA P-256')
  const kid = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url')
  return { privateKey, publicJwk, kid }
}

/** Throws when what it should say is no JWT-SVID. */
export function signJwtSvid(key: JwtKey, content: JwtSvidContent): string {
  const { spiffeId, audience, issuedAtMs, expiresAtMs } = content
  const fault = subjectFault(spiffeId)
  if (fault !== undefined) throw new TypeError(fault)
  if (audience.length === 0 || audience.includes(''))
    throw new TypeError('a JWT-SVID is for somebody: name its audience')
  if (expiresAtMs <= issuedAtMs) throw new TypeError('a JWT-SVID ends after it begins')
  const claims = { sub: spiffeId, aud: audience, iat: seconds(issuedAtMs), exp: seconds(expiresAtMs) }
  const signed = `${encode({ alg: 'ES256', kid: key.kid, typ: 'JWT' })}.${encode(claims)}`
  const signature = sign('sha256', Buffer.from(signed), { key: key.privateKey, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')}`
}

/** RFC 7519, section 2: NumericDate. */
function seconds(ms: number): number {
  return Math.floor(ms / 1000)
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

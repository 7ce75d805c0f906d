// JWT-SVIDs (SPIFFE JWT-SVID standard): signs and verifies the compact form, ES256 only.
import { createHash, createPublicKey, sign, verify } from 'node:crypto'
import type { JsonWebKey, KeyObject } from 'node:crypto'

import { spiffeIdFault, splitSpiffeId } from '../../contracts/identity/spiffe-id.ts'
import type { SpiffeBundle } from './spiffe-bundle.ts'

/** ECDSA P-256. */
export interface JwtKey {
  readonly privateKey: KeyObject
  readonly publicJwk: JsonWebKey
  readonly kid: string
}

export interface JwtSvidContent {
  readonly spiffeId: string
  /** Who may accept it; at least one. */
  readonly audience: readonly string[]
  /** Milliseconds since the Unix epoch. */
  readonly issuedAtMs: number
  readonly expiresAtMs: number
}

/** Exactly one of the two is there. */
export interface JwtSvidReading {
  readonly svid?: JwtSvidContent
  /** Which rule the token breaks; never a part of the token. */
  readonly fault?: string
}

export interface JwtSvidExpectation {
  readonly bundle: SpiffeBundle
  readonly trustDomain: string
  /** Who we are to those who call us. */
  readonly audience: string
  readonly nowMs: number
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

export function verifyJwtSvid(token: string, expected: JwtSvidExpectation): JwtSvidReading {
  const parts = /^([\w-]+)\.([\w-]+)\.([\w-]+)$/.exec(token)
  const header = decode(parts?.[1])
  const claims = decode(parts?.[2])
  if (parts === null || header === undefined || claims === undefined) return { fault: 'it is no JWS in compact form' }
  const fault =
    headerFault(header) ??
    signatureFault(parts as unknown as readonly [string, string, string, string], header, expected.bundle) ??
    claimsFault(claims, expected)
  if (fault !== undefined) return { fault }
  const { sub, aud, iat, exp } = claims as { sub: string; aud: string | string[]; iat?: number; exp: number }
  return {
    svid: { spiffeId: sub, audience: [aud].flat(), issuedAtMs: (iat ?? 0) * 1000, expiresAtMs: exp * 1000 },
  }
}

type Members = Readonly<Record<string, unknown>>

/** Section 2. */
function headerFault({ alg, typ, crit }: Members): string | undefined {
  if (alg !== 'ES256') return 'its algorithm is not ES256'
  if (typ !== undefined && typ !== 'JWT' && typ !== 'JOSE') return 'its type is neither JWT nor JOSE'
  // RFC 7515, section 4.1.11: what must be understood is not
  return crit === undefined ? undefined : 'it demands an extension'
}

function signatureFault(
  [, head, body, signature]: readonly [string, string, string, string],
  { kid }: Members,
  { keys }: SpiffeBundle,
): string | undefined {
  const jwk = keys.find((one) => one.use === 'jwt-svid' && one.kid === kid)
  if (jwk === undefined) return 'its key is not in the trust bundle'
  const key = { key: createPublicKey({ key: { ...jwk }, format: 'jwk' }), dsaEncoding: 'ieee-p1363' } as const
  const bytes = Buffer.from(signature, 'base64url')
  // the last character has bits to spare: one token, one text
  const holds =
    bytes.toString('base64url') === signature && verify('sha256', Buffer.from(`${head}.${body}`), key, bytes)
  return holds ? undefined : 'its signature does not fit'
}

/** Sections 3 and 4. */
function claimsFault(claims: Members, { trustDomain, audience, nowMs }: JwtSvidExpectation): string | undefined {
  const { sub, aud, exp, nbf } = claims
  if (typeof sub !== 'string') return 'it has no subject'
  if (subjectFault(sub) !== undefined) return subjectFault(sub)
  if (splitSpiffeId(sub).trustDomain !== trustDomain) return 'it is of another trust domain'
  if (![aud].flat().includes(audience)) return 'it is for somebody else'
  if (typeof exp !== 'number') return 'it has no end'
  if (nowMs >= exp * 1000) return 'it has expired'
  if (nbf !== undefined && !(typeof nbf === 'number' && nowMs >= nbf * 1000)) return 'it is not valid yet'
  return undefined
}

function subjectFault(spiffeId: string): string | undefined {
  return spiffeIdFault(spiffeId) ?? (splitSpiffeId(spiffeId).path === '' ? 'its SPIFFE ID has no path' : undefined)
}

/** RFC 7519, section 2: NumericDate. */
function seconds(ms: number): number {
  return Math.floor(ms / 1000)
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function decode(part: string | undefined): Members | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part ?? '', 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : undefined
  } catch {
    return undefined
  }
}

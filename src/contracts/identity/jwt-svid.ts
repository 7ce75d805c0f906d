// JWT-SVIDs (SPIFFE JWT-SVID standard), as both planes read them: verifies the compact form, ES256 only.
import { createPublicKey, verify } from 'node:crypto'
import type { JsonWebKey } from 'node:crypto'

import { spiffeIdFault, splitSpiffeId } from './spiffe-id.ts'

/** Of the trust bundle, of either use; a reader passes over what it does not know. */
export interface BundleKey extends JsonWebKey {
  readonly use: 'x509-svid' | 'jwt-svid'
  /** Of a JWT-SVID key. */
  readonly kid?: string
  /** Of a root: the certificate itself, DER in base64. */
  readonly x5c?: readonly [string]
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
  readonly bundle: { readonly keys: readonly BundleKey[] }
  readonly trustDomain: string
  /** Who we are to those who call us. */
  readonly audience: string
  readonly nowMs: number
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
  { keys }: JwtSvidExpectation['bundle'],
): string | undefined {
  const jwk = keys.find((one) => one.use === 'jwt-svid' && one.kid === kid)
  if (jwk === undefined) return 'its key is not in the trust bundle'
  if (jwk.crv !== 'P-256') return 'its key is not one for ES256'
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

/** Of a subject; undefined when it is a workload's SPIFFE ID. */
export function subjectFault(spiffeId: string): string | undefined {
  return spiffeIdFault(spiffeId) ?? (splitSpiffeId(spiffeId).path === '' ? 'its SPIFFE ID has no path' : undefined)
}

function decode(part: string | undefined): Members | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part ?? '', 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : undefined
  } catch {
    return undefined
  }
}

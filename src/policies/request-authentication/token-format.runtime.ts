// What a token says, before anything of it is believed: a JSON Web Signature in compact form (RFC 7515, 7519), read as strictly as it can be.
import { isObject, supportedAlgorithms } from './jwks.runtime.ts'
import { parseStrictJson } from './strict-json.runtime.ts'

export interface ReadToken {
  readonly algorithm: string
  readonly kid: string | undefined
  readonly issuer: string
  readonly subject: string
  readonly audiences: readonly string[]
  /** Seconds since the Unix epoch. */
  readonly expiresAt: number | undefined
  readonly notBefore: number | undefined
  readonly claims: Readonly<Record<string, unknown>>
  /** The second part as it was sent. */
  readonly payload: string
}

const maxTokenLength = 16 * 1024

/** The token cannot be taken; the message is for the caller, in the words that Envoy uses. */
export class TokenFault extends Error {}

/** Throws a TokenFault. */
export function readToken(text: string): ReadToken {
  if (text.length > maxTokenLength) throw new TokenFault('Jwt is too large')
  const parts = text.split('.')
  const [headerPart, payload, signature] = parts
  if (parts.length !== 3 || headerPart === undefined || payload === undefined || signature === undefined)
    throw new TokenFault('Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections')
  const header = readObject(headerPart, 'header')
  const claims = readObject(payload, 'payload')
  if (!isBase64Url(signature)) throw new TokenFault('Jwt signature is an invalid Base64url encoded')
  const { alg, kid } = header
  if (typeof alg !== 'string') throw new TokenFault('Jwt header [alg] field is required and must be a string')
  if (!supportedAlgorithms.has(alg)) throw new TokenFault('Jwt header [alg] is not supported')
  if (kid !== undefined && typeof kid !== 'string') throw new TokenFault('Jwt header [kid] field is not a string')
  checkExtensions(header)
  return {
    algorithm: alg,
    kid,
    issuer: stringClaim(claims, 'iss'),
    subject: stringClaim(claims, 'sub'),
    audiences: audiencesOf(claims['aud']),
    expiresAt: timeClaim(claims, 'exp'),
    notBefore: timeClaim(claims, 'nbf'),
    claims,
    payload,
  }
}

/** What would give the parts another meaning. Keys that a token brings along (`jwk`, `jku`, `x5u`, `x5c`) are never looked at. */
function checkExtensions(header: Readonly<Record<string, unknown>>): void {
  for (const name of ['crit', 'b64', 'enc', 'zip'])
    if (name in header) throw new TokenFault(`Jwt header [${name}] is not supported`)
  if (header['cty'] !== undefined) throw new TokenFault('Jwt header [cty] is not supported')
}

function readObject(part: string, place: 'header' | 'payload'): Record<string, unknown> {
  if (!isBase64Url(part)) throw new TokenFault(`Jwt ${place} is an invalid Base64url encoded`)
  let value: unknown
  try {
    value = parseStrictJson(utf8.decode(Buffer.from(part, 'base64url')))
  } catch {
    value = undefined
  }
  if (!isObject(value)) throw new TokenFault(`Jwt ${place} is an invalid JSON`)
  return value
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** In its one canonical form, so that a signature has one text. */
function isBase64Url(part: string): boolean {
  return part !== '' && Buffer.from(part, 'base64url').toString('base64url') === part
}

function stringClaim(claims: Readonly<Record<string, unknown>>, name: 'iss' | 'sub'): string {
  const value = claims[name] ?? ''
  if (typeof value !== 'string' || claims[name] === null)
    throw new TokenFault(`Jwt payload [${name}] field is not a string`)
  return value
}

function timeClaim(claims: Readonly<Record<string, unknown>>, name: 'exp' | 'nbf'): number | undefined {
  const value = claims[name]
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !Number.isFinite(value))
    throw new TokenFault(`Jwt payload [${name}] field is not a number`)
  return value
}

function audiencesOf(value: unknown): readonly string[] {
  if (value === undefined) return []
  const list: unknown[] = Array.isArray(value) ? value : [value]
  if (!list.every((item): item is string => typeof item === 'string'))
    throw new TokenFault('Jwt payload [aud] field is not a string or string list')
  return list
}

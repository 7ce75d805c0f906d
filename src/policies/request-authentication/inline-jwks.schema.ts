// A JSON Web Key Set written into a document: checked when it is read, for at the proxy it would only refuse every token.
import { createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

const minRsaBits = 2048
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth'] as const
const curves = new Set(['P-256', 'P-384', 'P-521', 'Ed25519'])

/** What is wrong with it, as the end of a sentence; shows nothing of any key but its `kid`. */
export function jwksFault(text: string): string | undefined {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    return 'is not valid JSON'
  }
  const keys: unknown = isObject(document) ? document['keys'] : undefined
  if (!Array.isArray(keys)) return 'is not a JSON Web Key Set: expected an object with a list "keys"'
  if (keys.length === 0) return 'has no keys'
  for (const [index, key] of keys.entries()) {
    const fault = keyFault(key)
    if (fault !== undefined) return `has a key that cannot be used: ${keyName(key, index, keys.length)} ${fault}`
  }
  return keys.some(canVerify) ? undefined : 'has no key that could verify a token'
}

function keyFault(key: unknown): string | undefined {
  if (!isObject(key)) return 'is not an object'
  if (key['kty'] === 'oct' || 'k' in key)
    return 'is a symmetric key, which would let every reader of this document make tokens: use a public key'
  if (privateMembers.some((name) => name in key))
    return 'is a private key: take out the private members, and consider the key known to others'
  if (!['undefined', 'string'].includes(typeof key['kid'])) return 'has a "kid" that is not a string'
  let parsed: KeyObject
  try {
    parsed = createPublicKey({ key, format: 'jwk' })
  } catch {
    return 'is not a valid public key'
  }
  const bits = parsed.asymmetricKeyDetails?.modulusLength
  if (bits !== undefined && bits < minRsaBits) return `has ${bits} bits: ${minRsaBits} are needed`
  return undefined
}

function canVerify(key: Readonly<Record<string, unknown>>): boolean {
  const { kty, crv, use } = key
  return (use === undefined || use === 'sig') && (kty === 'RSA' || curves.has(String(crv)))
}

function keyName(key: unknown, index: number, count: number): string {
  const kid = isObject(key) ? key['kid'] : undefined
  return `key ${index + 1} of ${count}${typeof kid === 'string' ? ` ("${kid.slice(0, 64)}")` : ''}`
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

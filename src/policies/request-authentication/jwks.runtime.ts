// JSON Web Key Sets (RFC 7517): the public keys in them that can verify a token, and what each of them may verify.
import { importJWK } from 'jose'
import type { CryptoKey } from 'jose'

import type { JwtRule } from './request-authentication.spec.ts'

export interface VerificationKey {
  readonly kid: string | undefined
  /** What the key's type, curve and own `alg` leave. */
  readonly algorithms: readonly string[]
  /** Public members only. */
  readonly jwk: Readonly<Record<string, string>>
}

export interface KeySet {
  readonly keys: readonly VerificationKey[]
}

/** Where a rule's keys come from: its `jwks` or `jwksUri`. */
export interface JwksSource {
  /** The keys at hand, the same object as long as they are the same keys. Undefined: `load` has to get them. */
  current(rule: JwtRule): KeySet | undefined
  /** Rejects when they are not to be had. */
  load(rule: JwtRule): Promise<KeySet>
  /** For a token whose key is not among those at hand: asks anew, unless that was done moments ago. Rejects as `load`. */
  reload(rule: JwtRule): Promise<KeySet>
}

const rsaAlgorithms: readonly string[] = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']

/** By type and curve of a key. All are asymmetric: a public key is never taken for a secret. */
const algorithmsOf: ReadonlyMap<string, readonly string[]> = new Map([
  ['RSA', rsaAlgorithms],
  ['EC P-256', ['ES256']],
  ['EC P-384', ['ES384']],
  ['EC P-521', ['ES512']],
  ['OKP Ed25519', ['EdDSA']],
])

export const supportedAlgorithms: ReadonlySet<string> = new Set([...algorithmsOf.values()].flat())

const publicMembers = ['kty', 'crv', 'x', 'y', 'n', 'e'] as const

/** Leaves out keys that cannot verify. Throws an Error, without anything of the text, when it is no key set or none is left. */
export function parseJwks(text: string): KeySet {
  const document = parseJson(text)
  const entries = isObject(document) ? document['keys'] : undefined
  if (!Array.isArray(entries)) throw new Error('not a JSON Web Key Set: a list "keys" is missing')
  const keys = entries.flatMap((entry: unknown) => toVerificationKey(entry) ?? [])
  if (keys.length === 0) throw new Error('the JSON Web Key Set has no public key that could verify a token')
  return { keys }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    // The words of JSON.parse quote the text
    throw new Error('not a JSON Web Key Set: it is not valid JSON')
  }
}

function toVerificationKey(entry: unknown): VerificationKey | undefined {
  if (!isObject(entry)) return undefined
  const { kty, crv, kid, alg, use, key_ops: operations } = entry
  // A private key that was published verifies nothing: anybody may have it.
  if (typeof kty !== 'string' || 'd' in entry || 'k' in entry) return undefined
  if (kid !== undefined && typeof kid !== 'string') return undefined
  if (use !== undefined && use !== 'sig') return undefined
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) return undefined
  const fitting = algorithmsOf.get(kty === 'RSA' ? kty : `${kty} ${String(crv)}`) ?? []
  const algorithms = alg === undefined ? fitting : fitting.filter((name) => name === alg)
  if (algorithms.length === 0) return undefined
  const jwk: Record<string, string> = {}
  for (const name of publicMembers) {
    const value = entry[name]
    if (typeof value === 'string') jwk[name] = value
  }
  return { kid, algorithms, jwk }
}

/** The key that a token names; one without `kid` may only mean keys without. */
export function pickKeys(set: KeySet, kid: string | undefined, algorithm: string): readonly VerificationKey[] {
  return set.keys.filter((key) => key.kid === kid && key.algorithms.includes(algorithm))
}

const imported = new WeakMap<VerificationKey, Map<string, Promise<CryptoKey>>>()

/** Rejects when the members are not those of a key. */
export function importKey(key: VerificationKey, algorithm: string): Promise<CryptoKey> {
  const known = imported.get(key) ?? new Map<string, Promise<CryptoKey>>()
  imported.set(key, known)
  const promise = known.get(algorithm) ?? (importJWK(key.jwk, algorithm) as Promise<CryptoKey>)
  known.set(algorithm, promise)
  return promise
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

// How a proxy without a certificate proves who it is: a token that stands for one proxy, a number of times, for a while. Only its hash is kept.
import { createHash } from 'node:crypto'

import type { JoinTokenView } from '../../contracts/control-api.ts'
import type { Clock } from '../../core/clock.ts'
import { randomToken } from '../../core/random.ts'
import type { Store, StoreEntry } from '../store/store.ts'

export interface JoinGrant {
  /** Of the token: public, and no way back to it. */
  readonly id: string
  /** Node id, "sidecar~default~web". */
  readonly proxy: string
  readonly spiffeId: string
  /** Milliseconds since the Unix epoch. */
  readonly createdAtMs: number
}

export interface RedeemedGrant extends JoinGrant {
  /** The key had not used it before. */
  readonly isFirst: boolean
}

export type TokenRefusal = 'malformed' | 'unknown' | 'expired' | 'used' | 'revoked'

export interface JoinTokens {
  /** The token; this is the only time it can be seen. `uses`: how many keys it serves. */
  create(proxy: string, spiffeId: string, ttlMs: number, uses?: number): Promise<string>
  /** Those that have neither ended nor been revoked. */
  list(): Promise<readonly JoinTokenView[]>
  /** The grant that ends; undefined: there is no such token. */
  revoke(id: string): Promise<JoinGrant | undefined>
  /** What `redeem` would say, without using the token up. */
  verify(token: string, keyFingerprint: string): Promise<JoinGrant | TokenRefusal>
  /**
   * Uses the token up by one for a key that comes for the first time. The same key may redeem it again until it expires: its answer may have
   * been lost on the way. Any key past `uses` gets 'used'.
   */
  redeem(token: string, keyFingerprint: string): Promise<RedeemedGrant | TokenRefusal>
}

interface StoredToken {
  readonly proxy: string
  readonly spiffeId: string
  readonly createdAtMs: number
  readonly expiresAtMs: number
  readonly uses: number
  /** Fingerprints. */
  readonly usedByKeys: readonly string[]
  readonly revoked?: true
}

/** Of versions before tokens had bounds: for one key, made at a time that is not known. */
interface OldToken {
  readonly proxy: string
  readonly spiffeId: string
  readonly expiresAtMs: number
  readonly usedByKey?: string
}

export const joinTokenPrefix = 'hdl_join_'
const form = /^hdl_join_[A-Za-z0-9_-]{43}$/
const keyPrefix = 'join-token/'
const idLength = 12
/** So long after its end, why it is refused is still known. */
const keptForMs = 60 * 60_000
/** All must be read to find the old ones: not for each that is made. */
const forgetEveryMs = 60_000

export function createJoinTokens(options: { readonly store: Store; readonly clock: Clock }): JoinTokens {
  const { store, clock } = options

  const check = (stored: StoredToken, keyFingerprint: string): TokenRefusal | undefined => {
    const { usedByKeys, uses, revoked, expiresAtMs } = stored
    if (revoked) return 'revoked'
    if (usedByKeys.length >= uses && !usedByKeys.includes(keyFingerprint)) return 'used'
    return clock.nowMs() >= expiresAtMs ? 'expired' : undefined
  }

  const find = async (token: string): Promise<StoreEntry | TokenRefusal> => {
    if (!form.test(token)) return 'malformed'
    return (await store.get(storeKey(token))) ?? 'unknown'
  }

  const redeem = async (token: string, keyFingerprint: string): Promise<RedeemedGrant | TokenRefusal> => {
    const entry = await find(token)
    if (typeof entry === 'string') return entry
    const stored = parse(entry)
    const refusal = check(stored, keyFingerprint)
    if (refusal !== undefined) return refusal
    const isFirst = !stored.usedByKeys.includes(keyFingerprint)
    if (isFirst) {
      const used: StoredToken = { ...stored, usedByKeys: [...stored.usedByKeys, keyFingerprint] }
      const { written } = await store.put(entry.key, JSON.stringify(used), entry.revision)
      // somebody was faster: with another key, with this one, or by revoking it
      if (!written) return redeem(token, keyFingerprint)
    }
    return { ...grantOf(entry), isFirst }
  }

  const revoke = async (id: string): Promise<JoinGrant | undefined> => {
    if (!new RegExp(`^[0-9a-f]{${idLength}}$`).test(id)) return undefined
    const [entry] = (await store.list(keyPrefix + id)).entries
    if (entry === undefined || !isOpen(parse(entry), clock)) return undefined
    const { written } = await store.put(entry.key, JSON.stringify({ ...parse(entry), revoked: true }), entry.revision)
    return written ? grantOf(entry) : revoke(id)
  }

  let forgotAtMs = Number.NEGATIVE_INFINITY
  const forgetOld = async (): Promise<void> => {
    if (clock.nowMs() - forgotAtMs < forgetEveryMs) return
    forgotAtMs = clock.nowMs()
    const { entries } = await store.list(keyPrefix)
    const old = entries.filter((entry) => parse(entry).expiresAtMs + keptForMs <= clock.nowMs())
    if (old.length > 0) await store.write(old.map(({ key }) => ({ key, value: undefined })))
  }

  return {
    async create(proxy, spiffeId, ttlMs, uses = 1) {
      await forgetOld()
      const token = joinTokenPrefix + randomToken(32)
      const createdAtMs = clock.nowMs()
      const stored: StoredToken = {
        proxy,
        spiffeId,
        createdAtMs,
        expiresAtMs: createdAtMs + ttlMs,
        uses,
        usedByKeys: [],
      }
      await store.put(storeKey(token), JSON.stringify(stored), 0)
      return token
    },
    async list() {
      const { entries } = await store.list(keyPrefix)
      return entries
        .filter((entry) => isOpen(parse(entry), clock))
        .map((entry) => {
          const { uses, usedByKeys, createdAtMs, expiresAtMs } = parse(entry)
          return { ...grantOf(entry), uses, used: usedByKeys.length, createdAtMs, expiresAtMs }
        })
        .toSorted((a, b) => a.createdAtMs - b.createdAtMs)
    },
    revoke,
    async verify(token, keyFingerprint) {
      const entry = await find(token)
      if (typeof entry === 'string') return entry
      return check(parse(entry), keyFingerprint) ?? grantOf(entry)
    },
    redeem,
  }
}

/** What a token is called where it must not be shown. */
export function joinTokenId(token: string): string {
  return digest(token).slice(0, idLength)
}

function isOpen({ revoked, expiresAtMs }: StoredToken, clock: Clock): boolean {
  return !revoked && clock.nowMs() < expiresAtMs
}

function grantOf(entry: StoreEntry): JoinGrant {
  const { proxy, spiffeId, createdAtMs } = parse(entry)
  return { id: entry.key.slice(keyPrefix.length, keyPrefix.length + idLength), proxy, spiffeId, createdAtMs }
}

function parse({ value }: StoreEntry): StoredToken {
  const stored = JSON.parse(value) as StoredToken | OldToken
  if ('usedByKeys' in stored) return stored
  const { usedByKey, ...rest } = stored
  // older than any revocation
  return { ...rest, createdAtMs: 0, uses: 1, usedByKeys: usedByKey === undefined ? [] : [usedByKey] }
}

/** Looking the hash up takes a time that tells nothing of the token: near misses have unrelated hashes. */
function storeKey(token: string): string {
  return keyPrefix + digest(token)
}

function digest(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

// How a proxy without a certificate proves who it is: a token that stands for one proxy, once, for a while. Only its hash is kept.
import { createHash } from 'node:crypto'

import type { Clock } from '../../core/clock.ts'
import { randomToken } from '../../core/random.ts'
import type { Store } from '../store/store.ts'

export interface JoinGrant {
  /** "namespace/name". */
  readonly proxy: string
  readonly spiffeId: string
  /** Milliseconds since the Unix epoch. */
  readonly createdAtMs: number
}

export type TokenRefusal = 'unknown' | 'expired' | 'used'

export interface JoinTokens {
  /** The token; this is the only time it can be seen. */
  create(proxy: string, spiffeId: string, ttlMs: number): Promise<string>
  /** What `redeem` would say, without using the token up. */
  verify(token: string, keyFingerprint: string): Promise<JoinGrant | TokenRefusal>
  /**
   * Uses the token up for the key it is first redeemed with. The same key may redeem it again until it expires: its answer may have been
   * lost on the way. Any other gets 'used'.
   */
  redeem(token: string, keyFingerprint: string): Promise<JoinGrant | TokenRefusal>
}

interface StoredToken extends Omit<JoinGrant, 'createdAtMs'> {
  /** Absent in those of earlier versions: they count as old. */
  readonly createdAtMs?: number
  readonly expiresAtMs: number
  readonly usedByKey?: string
}

const tokenPrefix = 'hdl_join_'
const keyPrefix = 'join-token/'

export function createJoinTokens(options: { readonly store: Store; readonly clock: Clock }): JoinTokens {
  const { store, clock } = options

  const check = (stored: StoredToken, keyFingerprint: string): TokenRefusal | undefined => {
    if (stored.usedByKey !== undefined && stored.usedByKey !== keyFingerprint) return 'used'
    return clock.nowMs() >= stored.expiresAtMs ? 'expired' : undefined
  }

  const redeem = async (token: string, keyFingerprint: string): Promise<JoinGrant | TokenRefusal> => {
    const key = storeKey(token)
    const entry = await store.get(key)
    if (entry === undefined) return 'unknown'
    const stored = JSON.parse(entry.value) as StoredToken
    const refusal = check(stored, keyFingerprint)
    if (refusal !== undefined) return refusal
    if (stored.usedByKey === undefined) {
      const used: StoredToken = { ...stored, usedByKey: keyFingerprint }
      const { written } = await store.put(key, JSON.stringify(used), entry.revision)
      // somebody was faster: with another key, or with this one
      if (!written) return redeem(token, keyFingerprint)
    }
    return grantOf(stored)
  }

  return {
    async create(proxy, spiffeId, ttlMs) {
      const token = tokenPrefix + randomToken(32)
      const stored: StoredToken = { proxy, spiffeId, createdAtMs: clock.nowMs(), expiresAtMs: clock.nowMs() + ttlMs }
      await store.put(storeKey(token), JSON.stringify(stored), 0)
      return token
    },
    async verify(token, keyFingerprint) {
      const entry = await store.get(storeKey(token))
      if (entry === undefined) return 'unknown'
      const stored = JSON.parse(entry.value) as StoredToken
      return check(stored, keyFingerprint) ?? grantOf(stored)
    },
    redeem,
  }
}

function grantOf({ proxy, spiffeId, createdAtMs = 0 }: StoredToken): JoinGrant {
  return { proxy, spiffeId, createdAtMs }
}

/** Looking the hash up takes a time that tells nothing of the token: near misses have unrelated hashes. */
function storeKey(token: string): string {
  return keyPrefix + createHash('sha256').update(token).digest('hex')
}

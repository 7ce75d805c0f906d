// The bearer tokens of the API: the mesh's own, which is admin, and those that were made for somebody. Only their digests are kept.
import type { ApiRole, ApiToken } from '../../contracts/control-api.ts'
import type { Clock } from '../../core/clock.ts'
import { randomToken } from '../../core/random.ts'
import { sameDigest, secretDigest } from '../../core/secret-digest.ts'
import type { Store } from '../store/store.ts'

/** Whose token a request carries. */
export interface ApiCaller {
  readonly name: string
  readonly role: ApiRole
}

export interface ApiTokens {
  /** Undefined: nobody's. Takes as long for a near miss as for any other. */
  callerOf(token: string): ApiCaller | undefined
  list(): readonly ApiToken[]
  /** The token; this is the only time it can be seen. Undefined: there is one of that name. */
  create(name: string, role: ApiRole): Promise<string | undefined>
  /** Whether there was one. */
  delete(name: string): Promise<boolean>
}

interface StoredToken {
  readonly role: ApiRole
  readonly createdAtMs: number
  /** SHA-256, hexadecimal. */
  readonly digest: string
}

interface KnownToken extends ApiToken {
  readonly digest: Buffer
}

/** The name of the token in mesh.json. */
export const meshTokenName = 'admin-token'
const tokenPrefix = 'hdl_api_'
const keyPrefix = 'api-token/'

export async function createApiTokens(options: {
  readonly store: Store
  readonly clock: Clock
  readonly adminToken: string
}): Promise<ApiTokens> {
  const { store, clock, adminToken } = options
  const admin = secretDigest(adminToken)
  const known = new Map<string, KnownToken>()
  const remember = (name: string, { role, createdAtMs, digest }: StoredToken): void => {
    known.set(name, { name, role, createdAtMs, digest: Buffer.from(digest, 'hex') })
  }
  for (const { key, value } of (await store.list(keyPrefix)).entries)
    remember(key.slice(keyPrefix.length), JSON.parse(value) as StoredToken)

  return {
    callerOf(token) {
      const digest = secretDigest(token)
      let caller: ApiCaller | undefined
      // all of them, whichever it is
      for (const one of known.values()) if (sameDigest(one.digest, digest)) caller = { name: one.name, role: one.role }
      if (sameDigest(admin, digest)) caller = { name: meshTokenName, role: 'admin' }
      return caller
    },
    list: () => [...known.values()].map(({ name, role, createdAtMs }) => ({ name, role, createdAtMs })),
    async create(name, role) {
      const token = tokenPrefix + randomToken()
      const digest = secretDigest(token).toString('hex')
      const stored: StoredToken = { role, createdAtMs: clock.nowMs(), digest }
      const { written } = await store.put(keyPrefix + name, JSON.stringify(stored), 0)
      if (!written) return undefined
      remember(name, stored)
      return token
    },
    async delete(name) {
      if (!known.has(name)) return false
      await store.delete(keyPrefix + name)
      return known.delete(name)
    },
  }
}

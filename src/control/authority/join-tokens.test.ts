import { createHash } from 'node:crypto'

import { beforeEach, describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { silentLogger } from '../../core/logger.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import type { Store } from '../store/store.ts'
import { createJoinTokens, joinTokenId } from './join-tokens.ts'
import type { JoinTokens } from './join-tokens.ts'

const grant = {
  proxy: 'sidecar~default~web-v1',
  spiffeId: 'spiffe://mesh.local/ns/default/sa/web',
  createdAtMs: new ManualClock().nowMs(),
}

function grantOf(token: string): object {
  return { id: joinTokenId(token), ...grant }
}

describe('join tokens', () => {
  let clock: ManualClock
  let store: Store
  let tokens: JoinTokens

  beforeEach(() => {
    clock = new ManualClock()
    store = openSqliteStore({ file: ':memory:', clock, logger: silentLogger })
    tokens = createJoinTokens({ store, clock })
    return () => store.close()
  })

  const create = (ttlMs = 60_000, uses = 1): Promise<string> => tokens.create(grant.proxy, grant.spiffeId, ttlMs, uses)

  it('are recognisable, long and all different', async () => {
    const made = await Promise.all(Array.from({ length: 100 }, () => create()))
    for (const token of made) expect(token).toMatch(/^hdl_join_[A-Za-z0-9_-]{43}$/)
    expect(new Set(made).size).toBe(100)
  })

  it('stand for one proxy and identity', async () => {
    const token = await create()
    expect(await tokens.redeem(token, 'key')).toEqual({ ...grantOf(token), isFirst: true })
  })

  it('of earlier versions serve as before, are listed, and count as older than any revocation', async () => {
    const { createdAtMs: _, ...old } = grant
    const expiresAtMs = clock.nowMs() + 60_000
    const tokenOf = async (name: string, usedByKey?: string): Promise<string> => {
      const token = `hdl_join_${name.repeat(43)}`
      const key = `join-token/${createHash('sha256').update(token).digest('hex')}`
      await store.put(key, JSON.stringify({ ...old, expiresAtMs, usedByKey }), 0)
      return token
    }
    const [fresh, used] = [await tokenOf('a'), await tokenOf('b', 'key')]
    expect((await tokens.list()).map(({ uses, used: by, createdAtMs }) => [uses, by, createdAtMs])).toEqual(
      expect.arrayContaining([
        [1, 0, 0],
        [1, 1, 0],
      ]),
    )
    expect(await tokens.redeem(fresh, 'key')).toEqual({ ...grantOf(fresh), createdAtMs: 0, isFirst: true })
    expect(await tokens.redeem(fresh, 'other')).toBe('used')
    expect(await tokens.verify(used, 'other')).toBe('used')
    expect(await tokens.redeem(used, 'key')).toMatchObject({ isFirst: false })
  })

  it('serve the first key only, as often as it asks', async () => {
    const token = await create()
    expect(await tokens.verify(token, 'key')).toEqual(grantOf(token))
    expect(await tokens.verify(token, 'other')).toEqual(grantOf(token))
    expect(await tokens.redeem(token, 'key')).toEqual({ ...grantOf(token), isFirst: true })
    expect(await tokens.redeem(token, 'key')).toEqual({ ...grantOf(token), isFirst: false })
    expect(await tokens.redeem(token, 'other')).toBe('used')
    expect(await tokens.verify(token, 'other')).toBe('used')
  })

  it('serve one of many keys at once', async () => {
    const token = await create()
    const keys = Array.from({ length: 10 }, (_, i) => `key${i}`)
    const results = await Promise.all(keys.map((key) => tokens.redeem(token, key)))
    expect(results.filter((result) => result !== 'used')).toEqual([{ ...grantOf(token), isFirst: true }])
  })

  it('serve as many keys as they were made for, however many come at once', async () => {
    const token = await create(60_000, 3)
    const keys = Array.from({ length: 10 }, (_, i) => `key${i}`)
    const results = await Promise.all(keys.map((key) => tokens.redeem(token, key)))
    expect(results.filter((result) => result !== 'used')).toHaveLength(3)
    expect(await tokens.list()).toMatchObject([{ id: joinTokenId(token), uses: 3, used: 3 }])
    const served = keys.filter((_, i) => results[i] !== 'used')
    for (const key of served) expect(await tokens.redeem(token, key)).toMatchObject({ isFirst: false })
  })

  it('serve nobody once revoked, the key that used them neither', async () => {
    const [token, other] = [await create(), await create()]
    await tokens.redeem(token, 'key')
    expect(await tokens.revoke(joinTokenId(token))).toEqual(grantOf(token))
    expect(await tokens.redeem(token, 'key')).toBe('revoked')
    expect(await tokens.verify(token, 'other')).toBe('revoked')
    expect(await tokens.revoke(joinTokenId(token))).toBeUndefined()
    expect(await tokens.list()).toMatchObject([{ id: joinTokenId(other), used: 0 }])
    expect(await tokens.redeem(other, 'key')).toEqual({ ...grantOf(other), isFirst: true })
    for (const id of ['', 'join-token/', joinTokenId(other).slice(1), `${joinTokenId(other)}0`, token])
      expect(await tokens.revoke(id)).toBeUndefined()
  })

  it('are revoked or used where both happen at once, never neither', async () => {
    for (let i = 0; i < 20; i++) {
      const token = await create()
      const [redeemed, revoked] = await Promise.all([tokens.redeem(token, 'key'), tokens.revoke(joinTokenId(token))])
      expect(revoked).toEqual(grantOf(token))
      expect(redeemed === 'revoked' || typeof redeemed === 'object').toBe(true)
      expect(await tokens.redeem(token, 'key')).toBe('revoked')
    }
  })

  it('are forgotten an hour after their end', async () => {
    const token = await create(1_000)
    clock.advance(1_000 + 3_599_999)
    await create()
    expect(await tokens.redeem(token, 'key')).toBe('expired')
    expect(await tokens.list()).toHaveLength(1)
    clock.advance(60_000)
    await create()
    expect(await tokens.redeem(token, 'key')).toBe('unknown')
  })

  it('expire, for the key that used them, too', async () => {
    const token = await create(1_000)
    clock.advance(999)
    expect(await tokens.redeem(token, 'key')).toEqual({ ...grantOf(token), isFirst: true })
    clock.advance(1)
    expect(await tokens.redeem(token, 'key')).toBe('expired')
    expect(await tokens.redeem(token, 'other')).toBe('used')
  })

  it('are unknown unless they were made here', async () => {
    const token = await create()
    const almost = token.slice(0, -1) + (token.endsWith('A') ? 'B' : 'A')
    expect(await tokens.redeem(almost, 'key')).toBe('unknown')
    for (const wrong of ['', 'hdl_join_', token.slice(0, -1), `${token}a`, token.toUpperCase(), joinTokenId(token)]) {
      expect(await tokens.redeem(wrong, 'key')).toBe('malformed')
    }
  })

  it('survive a restart and leave nothing but a hash behind', async () => {
    const token = await create()
    await tokens.redeem(token, 'key')
    const again = createJoinTokens({ store, clock })
    expect(await again.redeem(token, 'other')).toBe('used')
    const kept = JSON.stringify(await store.list(''))
    expect(kept).toContain(grant.spiffeId)
    expect(kept).not.toContain(token.slice('hdl_join_'.length))
  })
})

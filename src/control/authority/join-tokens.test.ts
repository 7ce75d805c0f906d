import { beforeEach, describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { silentLogger } from '../../core/logger.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import type { Store } from '../store/store.ts'
import { createJoinTokens } from './join-tokens.ts'
import type { JoinTokens } from './join-tokens.ts'

const clock = new ManualClock()
const grant = {
  proxy: 'default/web-v1',
  spiffeId: 'spiffe://mesh.local/ns/default/sa/web',
  createdAtMs: clock.nowMs(),
}

describe('join tokens', () => {
  let store: Store
  let tokens: JoinTokens

  beforeEach(() => {
    store = openSqliteStore({ file: ':memory:', clock, logger: silentLogger })
    tokens = createJoinTokens({ store, clock })
    return () => store.close()
  })

  const create = (ttlMs = 60_000): Promise<string> => tokens.create(grant.proxy, grant.spiffeId, ttlMs)

  it('are recognisable, long and all different', async () => {
    const made = await Promise.all(Array.from({ length: 100 }, () => create()))
    for (const token of made) expect(token).toMatch(/^hdl_join_[A-Za-z0-9_-]{43}$/)
    expect(new Set(made).size).toBe(100)
  })

  it('stand for one proxy and identity', async () => {
    expect(await tokens.redeem(await create(), 'key')).toEqual(grant)
  })

  it('serve the first key only, as often as it asks', async () => {
    const token = await create()
    expect(await tokens.verify(token, 'key')).toEqual(grant)
    expect(await tokens.verify(token, 'other')).toEqual(grant)
    expect(await tokens.redeem(token, 'key')).toEqual(grant)
    expect(await tokens.redeem(token, 'key')).toEqual(grant)
    expect(await tokens.redeem(token, 'other')).toBe('used')
    expect(await tokens.verify(token, 'other')).toBe('used')
  })

  it('serve one of many keys at once', async () => {
    const token = await create()
    const keys = Array.from({ length: 10 }, (_, i) => `key${i}`)
    const results = await Promise.all(keys.map((key) => tokens.redeem(token, key)))
    expect(results.filter((result) => result !== 'used')).toEqual([grant])
  })

  it('expire, for the key that used them, too', async () => {
    const token = await create(1_000)
    clock.advance(999)
    expect(await tokens.redeem(token, 'key')).toEqual(grant)
    clock.advance(1)
    expect(await tokens.redeem(token, 'key')).toBe('expired')
    expect(await tokens.redeem(token, 'other')).toBe('used')
  })

  it('are unknown unless they were made here', async () => {
    const token = await create()
    for (const wrong of ['', 'hdl_join_', token.slice(0, -1), `${token}a`, token.toUpperCase()]) {
      expect(await tokens.redeem(wrong, 'key')).toBe('unknown')
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

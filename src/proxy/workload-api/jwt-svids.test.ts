import { beforeEach, describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { jwtKey, signJwtSvid } from '../../control/authority/jwt-svid.ts'
import type { JwtKey } from '../../control/authority/jwt-svid.ts'
import { newKeyPair } from '../../control/authority/key-pair.ts'
import { jwtBundleKey } from '../../control/authority/spiffe-bundle.ts'
import type { JwtKeys } from './jwt-client.ts'
import { JwtSvids } from './jwt-svids.ts'

const web = 'spiffe://mesh.local/ns/default/sa/web'
const lifetimeMs = 300_000

describe('the tokens of an application', () => {
  let clock: ManualClock
  let key: ReturnType<typeof jwtKey>
  let federated: JwtKeys['federated']
  let asked: string[]
  let svids: JwtSvids

  function sign(audience: readonly string[]): string {
    const issuedAtMs = clock.nowMs()
    return signJwtSvid(key, { spiffeId: web, audience, issuedAtMs, expiresAtMs: issuedAtMs + lifetimeMs })
  }

  beforeEach(() => {
    clock = new ManualClock()
    key = jwtKey(newKeyPair().privateKey)
    asked = []
    federated = new Map()
    const client = {
      sign: (audience: readonly string[]) => {
        asked.push(audience.join())
        return Promise.resolve(sign(audience))
      },
      keys: () => {
        asked.push('keys')
        return Promise.resolve({ own: [jwtBundleKey(key)], federated })
      },
    }
    svids = new JwtSvids(client, clock)
  })

  it('are given again for the same audience until half their life is over', async () => {
    const first = await svids.token(['a'])
    await svids.token(['b'])
    clock.advance(lifetimeMs / 2 - 1)
    expect(await svids.token(['a'])).toBe(first)
    clock.advance(1)
    expect(await svids.token(['a'])).not.toBe(first)
    expect(asked).toEqual(['a', 'b', 'a'])
  })

  it('of another trust domain are verified with its keys alone', async () => {
    const partner = jwtKey(newKeyPair().privateKey)
    federated = new Map([['partner.example', [jwtBundleKey(partner)]]])
    const signed = (by: JwtKey, spiffeId: string): string =>
      signJwtSvid(by, { spiffeId, audience: ['a'], issuedAtMs: clock.nowMs(), expiresAtMs: clock.nowMs() + lifetimeMs })
    const theirs = 'spiffe://partner.example/ns/default/sa/web'
    expect((await svids.verify(signed(partner, theirs), 'a', web)).svid?.spiffeId).toBe(theirs)
    expect((await svids.verify(signed(key, web), 'a', web)).svid?.spiffeId).toBe(web)
    for (const [by, spiffeId] of [
      [key, theirs],
      [partner, web],
      [partner, 'spiffe://other.example/ns/default/sa/web'],
    ] as const) {
      expect((await svids.verify(signed(by, spiffeId), 'a', web)).fault).toMatch(/not in the trust bundle/)
    }
    // what was trusted once is not for good
    federated = new Map()
    clock.advance(5_000)
    expect((await svids.verify(signed(key, web), 'b', web)).fault).toMatch(/somebody else/)
    expect((await svids.verify(signed(partner, theirs), 'a', web)).fault).toMatch(/not in the trust bundle/)
  })

  it('are kept for a hundred audiences', async () => {
    for (let i = 0; i <= 100; i++) await svids.token([String(i)])
    await svids.token(['100'])
    expect(asked).toHaveLength(101)
    await svids.token(['0'])
    expect(asked).toHaveLength(102)
  })

  it('are verified with the keys that are there, and with newer ones before they are refused', async () => {
    expect((await svids.verify(sign(['a']), 'a', web)).svid?.spiffeId).toBe(web)
    expect((await svids.verify(sign(['a']), 'a', web)).svid?.spiffeId).toBe(web)
    expect(asked).toEqual(['keys'])
    key = jwtKey(newKeyPair().privateKey)
    const token = sign(['a'])
    // so that who sends bad tokens does not make the proxy ask for each
    expect((await svids.verify(token, 'a', web)).fault).toBe('its key is not in the trust bundle')
    expect(asked).toEqual(['keys'])
    clock.advance(5_000)
    expect((await svids.verify(token, 'a', web)).svid?.spiffeId).toBe(web)
    expect(asked).toEqual(['keys', 'keys'])
  })
})

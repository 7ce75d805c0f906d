import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { beforeEach, describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { verifyJwtSvid } from '../../contracts/identity/jwt-svid.ts'
import type { JwtSvidReading } from '../../contracts/identity/jwt-svid.ts'
import { silentLogger } from '../../core/logger.ts'
import { createJwtAuthority, type JwtAuthority } from './jwt-authority.ts'
import { jwtKey } from './jwt-svid.ts'
import { newKeyPair } from './key-pair.ts'

const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs
const web = 'spiffe://mesh.local/ns/default/sa/web'

describe('the signer of JWT-SVIDs', () => {
  let stateDir: string
  let clock: ManualClock
  let svidLifetimeMs: number

  beforeEach(() => {
    stateDir = mkdtempSync(join(tmpdir(), 'heddle-jwt-'))
    clock = new ManualClock()
    svidLifetimeMs = 3_600_000
    return () => rmSync(stateDir, { recursive: true })
  })

  function start(): JwtAuthority {
    return createJwtAuthority({ stateDir, clock, svidLifetimeMs: () => svidLifetimeMs, logger: silentLogger })
  }

  function read(token: string, by: JwtAuthority): JwtSvidReading {
    return verifyJwtSvid(token, { bundle: by, trustDomain: 'mesh.local', audience: 'billing', nowMs: clock.nowMs() })
  }

  it('has the same key after a restart, for nobody else to read', () => {
    const token = start().sign(web, ['billing'])
    expect(read(token, start()).svid?.spiffeId).toBe(web)
    expect(statSync(join(stateDir, 'ca', 'jwt-keys.json')).mode & 0o777).toBe(0o600)
    expect(start().keys).toHaveLength(1)
    expect(start().keys[0]).not.toHaveProperty('d')
  })

  it('refuses a key that others may read, with the way out', () => {
    start()
    chmodSync(join(stateDir, 'ca', 'jwt-keys.json'), 0o644)
    expect(start).toThrow(/jwt-keys\.json.*others may read it \(mode 644\); remove it/)
  })

  it('refuses what is no key, and quotes nothing of it', () => {
    start()
    writeFileSync(join(stateDir, 'ca', 'jwt-keys.json'), '{"signing":{"privateKeyPem":"a secret')
    expect(start).toThrow(/jwt-keys\.json: it is not what was written; remove it/)
    writeFileSync(join(stateDir, 'ca', 'jwt-keys.json'), '{"signing":{"privateKeyPem":"a secret"}}')
    expect(start).toThrow(/remove it/)
    expect(start).not.toThrow(/a secret/)
  })

  it('takes up the one key that earlier versions kept', () => {
    const { privateKey } = newKeyPair()
    mkdirSync(join(stateDir, 'ca'))
    const file = join(stateDir, 'ca', 'jwt-key.pem')
    writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
    const { kid } = jwtKey(privateKey)
    expect([start().keys.map((key) => key.kid), existsSync(file)]).toEqual([[kid], false])
    expect(start().keys.map((key) => key.kid)).toEqual([kid])
  })

  it('gives those who read the bundle elsewhere their time, too', () => {
    const distributeForMs = (): number => 60 * minuteMs
    const options = { stateDir, clock, svidLifetimeMs: () => svidLifetimeMs, logger: silentLogger, distributeForMs }
    const authority = createJwtAuthority(options)
    authority.rotate()
    const [signing, next] = authority.keys.map(({ kid }) => kid)
    const signsNow = (): string | undefined => authority.status().find(({ use }) => use === 'signing')?.kid
    clock.advance(60 * minuteMs - 1)
    expect(signsNow()).toBe(signing)
    clock.advance(1)
    expect(signsNow()).toBe(next)
    clock.advance(30 * dayMs - 60 * minuteMs - 1)
    expect(authority.status().map(({ use }) => use)).not.toContain('next')
    clock.advance(1)
    expect(authority.status().map(({ use }) => use)).toContain('next')
  })

  it.each([false, true])(
    'replaces the key so that nobody meets a token that he cannot verify, restarted: %s',
    (restarted) => {
      let authority = start()
      const first = authority.keys[0]?.kid
      // what readers know that look every five minutes, each in another
      const known = Array.from({ length: 5 }, () => ({ keys: authority.keys }))
      const tokens: string[] = []
      const seen: string[] = []
      clock.advance(30 * dayMs - 20 * minuteMs)
      for (let minutes = 0; minutes < 40; minutes++) {
        if (restarted) authority = start()
        const uses = authority
          .status()
          .map(({ use }) => use)
          .join(' ')
        if (seen.at(-1) !== uses) seen.push(uses)
        known[minutes % 5] = { keys: authority.keys }
        tokens.push(authority.sign(web, ['billing']))
        const expected = { trustDomain: 'mesh.local', audience: 'billing', nowMs: clock.nowMs() }
        for (const token of tokens.slice(-5)) {
          for (const bundle of known) expect(verifyJwtSvid(token, { ...expected, bundle }).fault).toBeUndefined()
        }
        clock.advance(minuteMs)
      }
      expect(seen).toEqual(['signing', 'signing next', 'signing retiring', 'signing'])
      expect(authority.keys.map(({ kid }) => kid)).not.toContain(first)
    },
  )

  it('publishes the next key when it is told to, once', () => {
    const authority = start()
    authority.rotate()
    authority.rotate()
    const [old, next] = authority.status()
    expect([old?.use, next?.use]).toEqual(['signing', 'next'])
    clock.advance(10 * minuteMs - 1)
    expect(authority.status()[0]?.kid).toBe(old?.kid)
    clock.advance(1)
    const after = start().status()
    expect(after.map(({ kid, use }) => [kid, use])).toEqual([
      [next?.kid, 'signing'],
      [old?.kid, 'retiring'],
    ])
  })

  it('publishes before it signs when it was away for longer than a key signs', () => {
    start()
    clock.advance(90 * dayMs)
    const authority = start()
    expect(authority.status().map(({ use }) => use)).toEqual(['signing', 'next'])
    clock.advance(10 * minuteMs)
    expect(authority.status().map(({ use }) => use)).toEqual(['signing', 'retiring'])
  })

  it('goes on with the key it has when the next one cannot be kept', () => {
    const authority = start()
    clock.advance(30 * dayMs)
    rmSync(join(stateDir, 'ca'), { recursive: true })
    expect(read(authority.sign(web, ['billing']), authority).fault).toBeUndefined()
    expect(() => authority.rotate()).toThrow()
    mkdirSync(join(stateDir, 'ca'))
    expect(authority.status()).toHaveLength(2)
  })

  it('signs for five minutes, or for as long as an X.509-SVID lives', () => {
    const authority = start()
    const token = authority.sign(web, ['billing'])
    clock.advance(299_000)
    expect(read(token, authority).svid).toBeDefined()
    clock.advance(1_000)
    expect(read(token, authority).fault).toBe('it has expired')
    svidLifetimeMs = 6_000
    const short = authority.sign(web, ['billing'])
    clock.advance(6_000)
    expect(read(short, authority).fault).toBe('it has expired')
  })
})

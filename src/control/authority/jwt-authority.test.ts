import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { beforeEach, describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { verifyJwtSvid } from '../../contracts/identity/jwt-svid.ts'
import type { JwtSvidReading } from '../../contracts/identity/jwt-svid.ts'
import { createJwtAuthority, type JwtAuthority } from './jwt-authority.ts'

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
    return createJwtAuthority({ stateDir, clock, svidLifetimeMs: () => svidLifetimeMs })
  }

  function read(token: string, by: JwtAuthority): JwtSvidReading {
    return verifyJwtSvid(token, { bundle: by, trustDomain: 'mesh.local', audience: 'billing', nowMs: clock.nowMs() })
  }

  it('has the same key after a restart, for nobody else to read', () => {
    const token = start().sign(web, ['billing'])
    expect(read(token, start()).svid?.spiffeId).toBe(web)
    expect(statSync(join(stateDir, 'ca', 'jwt-key.pem')).mode & 0o777).toBe(0o600)
    expect(start().keys).toHaveLength(1)
    expect(start().keys[0]).not.toHaveProperty('d')
  })

  it('refuses a key that others may read, with the way out', () => {
    start()
    chmodSync(join(stateDir, 'ca', 'jwt-key.pem'), 0o644)
    expect(start).toThrow(/jwt-key\.pem.*others may read it \(mode 644\); remove it/)
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

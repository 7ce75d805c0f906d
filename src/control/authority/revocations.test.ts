import { X509Certificate } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { beforeEach, describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { createRequest } from '../../../test/kit/signing-requests.ts'
import { createSigner } from '../../../test/kit/trust-domains.ts'
import { userAuthority, writeAuthority } from '../../../test/kit/user-authority.ts'
import { certificatesToPem } from '../../contracts/identity/pem.ts'
import { WatchableValue } from '../../core/watchable.ts'
import { createAuthority, RevocationRefused } from './authority.ts'
import type { RotatableAuthority } from './authority.ts'
import type { UpstreamFiles } from './upstreams.ts'

const web = 'spiffe://mesh.local/ns/default/sa/web'
const other = 'spiffe://mesh.local/ns/default/sa/other'
const hourMs = 3_600_000
const dayMs = 24 * hourMs

describe('a revocation', () => {
  let stateDir: string
  let clock: ManualClock
  let authority: RotatableAuthority

  beforeEach(() => {
    stateDir = mkdtempSync(join(tmpdir(), 'heddle-revocations-'))
    clock = new ManualClock()
    authority = start()
    return () => rmSync(stateDir, { recursive: true })
  })

  function start(clockNow = clock, upstreamFiles?: UpstreamFiles): RotatableAuthority {
    return createAuthority({
      stateDir,
      trustDomain: 'mesh.local',
      clock: clockNow,
      svidLifetimeMs: () => hourMs,
      upstreamFiles,
    })
  }

  function issue(spiffeId = web, from = authority): X509Certificate {
    const { chainDer } = from.sign(createRequest({ uris: [spiffeId] }), spiffeId)
    return new X509Certificate(chainDer[0] as Uint8Array)
  }

  function isRefused(certificate: X509Certificate, spiffeId = web, by = authority): boolean {
    return by.revocations.refusesCertificate(spiffeId, certificate.validFromDate.getTime())
  }

  it('is of all certificates of the identity so far, and of no other', () => {
    const [first, another] = [issue(), issue(other)]
    clock.advance(hourMs / 2)
    const second = issue()
    authority.revoke(web, 'lost')
    expect([first, second].map((one) => isRefused(one))).toEqual([true, true])
    expect(isRefused(another, other)).toBe(false)
  })

  it('spares what is issued afterwards, in the same instant, too', () => {
    for (let i = 0; i < 3; i++) {
      const old = issue()
      authority.revoke(web, '')
      const fresh = issue()
      expect([isRefused(old), isRefused(fresh)]).toEqual([true, false])
      expect(fresh.validFromDate.getTime()).toBeLessThanOrEqual(clock.nowMs())
    }
  })

  it('holds and spares when the clock is set back', () => {
    const ahead = new ManualClock(clock.nowMs() + 10 * 60_000)
    const late = start(ahead)
    const old = issue(web, late)
    ahead.advance(-5 * 60_000)
    late.revoke(web, '')
    expect(isRefused(old, web, late)).toBe(true)
    expect(isRefused(issue(web, late), web, late)).toBe(false)
    ahead.advance(-4 * 60_000)
    expect(isRefused(issue(web, late), web, late)).toBe(false)
  })

  it('is of certificates below a signer that is younger than their back-dating', () => {
    rmSync(stateDir, { recursive: true })
    mkdirSync(stateDir)
    // its validity begins a day before that
    const own = start(clock, writeAuthority(stateDir, userAuthority({ nowMs: clock.nowMs() + dayMs - 10_000 })))
    const old = issue(web, own)
    own.revoke(web, '')
    const fresh = issue(web, own)
    expect([isRefused(old, web, own), isRefused(fresh, web, own)]).toEqual([true, false])
  })

  it('is for good, whoever signs meanwhile', () => {
    const old = issue()
    const { version } = authority.revocations.list.value
    authority.revoke(web, 'lost')
    const file = join(stateDir, 'ca', 'revocations.json')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    authority.startRotation('root')
    for (let phase = 0; phase < 3; phase++) authority.advanceRotation()
    authority = start()
    expect(authority.revocations.list.value.version).toBe(version + 1)
    expect([isRefused(old), isRefused(issue())]).toEqual([true, false])
  })

  it('is of join tokens made before, too', () => {
    const createdAtMs = clock.nowMs()
    authority.revoke(web, '')
    expect(authority.revocations.refusesTokenOf(web, createdAtMs)).toBe(true)
    expect(authority.revocations.refusesTokenOf(web, createdAtMs + 1)).toBe(false)
    expect(authority.revocations.refusesTokenOf(other, createdAtMs)).toBe(false)
  })

  it('ends when everything that it is about has ended, not before', () => {
    issue()
    authority.revoke(web, '')
    clock.advance(dayMs - 1)
    expect(authority.revocations.inForce().map(({ spiffeId }) => spiffeId)).toEqual([web])
    clock.advance(1)
    expect(authority.revocations.inForce()).toEqual([])
    authority.revoke(other, '')
    expect(authority.revocations.list.value).toMatchObject({ version: 2, revocations: [{ spiffeId: other }] })
  })

  it('is one for each identity', () => {
    authority.revoke(web, 'one')
    clock.advance(5_000)
    authority.revoke(web, 'two')
    expect(authority.revocations.inForce().map(({ reason }) => reason)).toEqual(['two'])
  })

  it('tells whoever watches, once it is on disk', () => {
    let seen: boolean | undefined
    authority.revocations.list.subscribe(() => {
      seen = start().revocations.list.value.revocations.length === 1
    })
    authority.revoke(web, '')
    expect(seen).toBe(true)
  })

  it('is of an identity of another trust domain as long as its roots last', () => {
    const root = createSigner({ trustDomain: 'partner.example', notAfterMs: clock.nowMs() + 90 * dayMs })
    const rootsPem = certificatesToPem([root.der])
    const own = createAuthority({
      stateDir,
      trustDomain: 'mesh.local',
      clock,
      svidLifetimeMs: () => hourMs,
      federatedBundles: new WatchableValue([{ trustDomain: 'partner.example', rootsPem }]),
    })
    const ratings = 'spiffe://partner.example/ratings'
    const { notBeforeMs, endsAtMs } = own.revoke(ratings, '')
    expect(endsAtMs).toBe(clock.nowMs() + 90 * dayMs)
    expect(own.revocations.refusesCertificate(ratings, notBeforeMs)).toBe(true)
    expect(own.revocations.refusesCertificate(ratings, notBeforeMs + 1_000)).toBe(false)
    expect(notBeforeMs).toBeGreaterThan(clock.nowMs() - 1_000)
  })

  it.each([
    ['no SPIFFE ID', 'default/web', /is no SPIFFE ID of a workload/],
    ['a trust domain', 'spiffe://mesh.local', /is no SPIFFE ID of a workload/],
    [
      'an identity of a trust domain that is not trusted',
      'spiffe://other/ns/default/sa/web',
      /no workload of trust domain/,
    ],
    ['the control plane', 'spiffe://mesh.local/ns/heddle-system/sa/control-plane', /is the control plane/],
  ])('of %s is refused', (_, spiffeId, reason) => {
    expect(() => authority.revoke(spiffeId, '')).toThrow(RevocationRefused)
    expect(() => authority.revoke(spiffeId, '')).toThrow(reason)
    expect(authority.revocations.list.value.version).toBe(0)
  })

  it('lets nothing start without what was revoked', () => {
    writeFileSync(join(stateDir, 'ca', 'revocations.json'), '{"version":')
    expect(() => start()).toThrow(/cannot read what was revoked.*restore the folder from a backup/)
  })
})

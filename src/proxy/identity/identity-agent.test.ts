import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'

import { recordingLogger } from '../../../test/kit/identity-plane.ts'
import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { certificatesFromPem } from '../../contracts/identity/pem.ts'
import { createAuthority } from '../../control/authority/authority.ts'
import type { Authority } from '../../control/authority/authority.ts'
import { createRandom } from '../../core/random.ts'
import type { RevokedSvids } from '../io/revoked-peers.ts'
import { CertificateRefused, createIdentityAgent } from './identity-agent.ts'
import type { CertificateProof, IdentityAgent, SignedCertificate } from './identity-agent.ts'

const web = 'spiffe://mesh.local/ns/default/sa/web'
const hourMs = 3_600_000

async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

function revoked(version: number): RevokedSvids {
  return { version, notBeforeMs: { [web]: version } }
}

function dead(): never {
  throw new Error('the control plane did not answer')
}

function refusing(): never {
  throw new CertificateRefused('no')
}

describe('the identity agent', () => {
  let clock: ManualClock
  let authority: Authority
  let agent: IdentityAgent
  let log: string[]
  let tokensRefused: number
  let asked: { atMs: number; proof: CertificateProof; csrDer: Uint8Array; timeoutMs: number | undefined }[]
  /** What the control plane does; a real authority unless a test says otherwise. */
  let answer: (csrDer: Uint8Array, proof: CertificateProof) => SignedCertificate

  beforeEach(() => {
    clock = new ManualClock()
    log = []
    tokensRefused = 0
    asked = []
    const stateDir = mkdtempSync(join(tmpdir(), 'heddle-agent-'))
    authority = createAuthority({ stateDir, trustDomain: 'mesh.local', clock, svidLifetimeMs: () => hourMs })
    answer = (csrDer) => authority.sign(csrDer, web)
    agent = createIdentityAgent({
      spiffeId: web,
      sign: (csrDer, proof, timeoutMs) => {
        asked.push({ atMs: clock.nowMs(), proof, csrDer, timeoutMs })
        return new Promise((resolve) => {
          resolve(answer(csrDer, proof))
        })
      },
      token: () => Promise.resolve(`token ${asked.length}`),
      tokenRefused: () => tokensRefused++,
      clock,
      random: createRandom(1),
      logger: recordingLogger(log),
    })
    return () => {
      agent.stop()
      rmSync(stateDir, { recursive: true })
    }
  })

  async function pass(totalMs: number, stepMs: number): Promise<void> {
    for (let passedMs = 0; passedMs < totalMs; passedMs += stepMs) {
      clock.advance(stepMs)
      await settle()
    }
  }

  it('asks for another join token only when one is refused', async () => {
    answer = dead
    agent.start()
    await pass(10_000, 500)
    expect(tokensRefused).toBe(0)
    answer = refusing
    await pass(10_000, 500)
    expect(tokensRefused).toBeGreaterThan(0)
    answer = (csrDer) => authority.sign(csrDer, web)
    await pass(6_000, 500)
    const before = tokensRefused
    answer = (csrDer, { kind }) => (kind === 'svid' ? refusing() : authority.sign(csrDer, web))
    agent.renewWithin(1)
    await pass(6_000, 500)
    expect([tokensRefused, proofs().slice(-2)]).toEqual([before, ['svid', 'token']])
  })

  it('has in force what is revoked: of each certificate, and what it is told in between', async () => {
    const inForce = (): number => agent.revoked.value.version
    const changes: string[] = []
    agent.credentials.subscribe(() => changes.push('certificate'))
    agent.revoked.subscribe(({ version }) => changes.push(`version ${version}`))
    agent.revoke(revoked(1))
    answer = (csrDer) => authority.sign(csrDer, web)
    agent.start()
    await settle()
    agent.revoke(revoked(2))
    expect(changes.splice(0)).toEqual(['version 1', 'certificate', 'version 2'])
    // signed before that, and late
    answer = (csrDer) => ({ ...authority.sign(csrDer, web), revoked: revoked(1) })
    agent.renewWithin(1)
    await pass(1_000, 100)
    expect(changes.splice(0)).toEqual(['certificate'])
    answer = (csrDer) => ({ ...authority.sign(csrDer, web), revoked: revoked(3) })
    agent.renewWithin(1)
    await pass(1_000, 100)
    expect(changes).toEqual(['version 3', 'certificate'])
    // of a control plane that was restored from a backup
    agent.revoke(revoked(1))
    expect(inForce()).toBe(1)
  })

  it('renews within the time that it is asked to, unless it would sooner anyway', async () => {
    agent.start()
    await settle()
    agent.renewWithin(10_000)
    agent.renewWithin(10_000)
    await pass(10_000, 1_000)
    expect(proofs()).toEqual(['token', 'svid'])
    await pass(hourMs / 4, 60_000)
    agent.renewWithin(10 * hourMs)
    await pass(hourMs / 4 + 10 * 60_000, 60_000)
    expect(proofs()).toEqual(['token', 'svid', 'svid'])
    agent.stop()
    agent.renewWithin(0)
    await pass(1_000, 1_000)
    expect(asked).toHaveLength(3)
  })

  const proofs = (): string[] => asked.map(({ proof }) => proof.kind)

  it('joins with the token, then renews with its certificate around half-life', async () => {
    agent.start()
    await settle()
    expect(agent.credentials.value?.certificateChainPem.match(/BEGIN CERT/g)).toHaveLength(2)
    expect(agent.credentials.value?.rootsPem).toBe(authority.trustBundle.rootsPem)
    expect(agent.notAfterMs).toBe(clock.nowMs() + hourMs)
    await pass(10 * hourMs, 60_000)
    const times = asked.map(({ atMs }) => atMs)
    const gaps = times.slice(1).map((atMs, i) => (atMs - (times[i] as number)) / hourMs)
    expect(gaps.length).toBeGreaterThan(17)
    for (const gap of gaps) expect(gap).toBeGreaterThan(0.449)
    for (const gap of gaps) expect(gap).toBeLessThan(0.56)
    expect(new Set(gaps.map((gap) => gap.toFixed(4))).size).toBeGreaterThan(5)
    expect(proofs()).toEqual(['token', ...gaps.map(() => 'svid')])
    expect(new Set(asked.map(({ csrDer }) => Buffer.from(csrDer).toString('hex'))).size).toBe(asked.length)
  })

  it('gives a try up in time for others before its certificate ends', async () => {
    answer = (csrDer) => authority.sign(csrDer, web)
    agent.start()
    await settle()
    answer = dead
    await pass(hourMs, 1_000)
    const timeouts = asked.map(({ timeoutMs = 0 }) => timeoutMs)
    expect(timeouts[0]).toBe(5_000)
    expect(timeouts.every((timeoutMs) => timeoutMs >= 500 && timeoutMs <= 5_000)).toBe(true)
    expect(Math.min(...timeouts)).toBeLessThan(1_500)
  })

  it('keeps its certificate while the control plane is away, and lets it go at its end', async () => {
    agent.start()
    await settle()
    const first = agent.credentials.value
    const endMs = agent.notAfterMs as number
    answer = dead
    await pass(endMs - clock.nowMs() - 1_000, 1_000)
    expect(agent.credentials.value).toBe(first)
    expect(new Set(proofs().slice(1))).toEqual(new Set(['svid']))
    await pass(2_000, 1_000)
    expect(agent.credentials.value).toBeUndefined()
    expect(agent.notAfterMs).toBeUndefined()
    expect(log.filter((line) => line.startsWith('error the certificate has expired'))).toHaveLength(1)

    await pass(20_000, 1_000)
    expect(proofs().at(-1)).toBe('token')
    answer = (csrDer) => authority.sign(csrDer, web)
    await pass(6_000, 1_000)
    expect(agent.credentials.value).toBeDefined()
  })

  it.each([-50_000, 10 * 60_000, -10 * 60_000])(
    'renews in time when the clock of the control plane is %i ms ahead of its own',
    async (aheadMs) => {
      const stateDir = mkdtempSync(join(tmpdir(), 'heddle-agent-'))
      onTestFinished(() => rmSync(stateDir, { recursive: true }))
      const theirs = new ManualClock(clock.nowMs() + aheadMs)
      const other = createAuthority({
        stateDir,
        trustDomain: 'mesh.local',
        clock: theirs,
        svidLifetimeMs: () => hourMs,
      })
      answer = (csrDer) => other.sign(csrDer, web)
      agent.start()
      await settle()
      for (let minutes = 0; minutes < 180; minutes++) {
        const [leaf] = certificatesFromPem(agent.credentials.value?.certificateChainPem ?? '')
        const { validFromDate, validToDate } = new X509Certificate(leaf as Uint8Array)
        // by their clock, which is that of the other proxies
        expect(validToDate.getTime()).toBeGreaterThan(theirs.nowMs())
        expect(validFromDate.getTime()).toBeLessThanOrEqual(theirs.nowMs())
        theirs.advance(60_000)
        await pass(60_000, 60_000)
      }
      expect(new Set(proofs().slice(1))).toEqual(new Set(['svid']))
      expect(proofs().length).toBeLessThan(12)
    },
  )

  it('backs off to 5 s at the most, and says why once', async () => {
    answer = dead
    agent.start()
    await settle()
    await pass(600_000, 100)
    const times = asked.map(({ atMs }) => atMs)
    const gaps = times.slice(1).map((atMs, i) => atMs - (times[i] as number))
    expect(Math.max(...gaps)).toBeLessThanOrEqual(5_000)
    expect(Math.max(...gaps.slice(0, 3))).toBeLessThanOrEqual(500)
    expect(asked.length).toBeGreaterThan(150)
    expect(asked.length).toBeLessThan(500)
    expect(log.filter((line) => line.startsWith('warn'))).toHaveLength(1)
  })

  it('keeps one key until it is answered, because a token serves one key', async () => {
    answer = dead
    agent.start()
    await settle()
    await pass(5_000, 100)
    expect(asked.length).toBeGreaterThan(2)
    expect(new Set(asked.map(({ csrDer }) => csrDer)).size).toBe(1)
  })

  it('goes back to the token, read anew, when the certificate is refused, and tries both by turns', async () => {
    agent.start()
    await settle()
    answer = refusing
    await pass(hourMs - 10_000, 1_000)
    const kinds = proofs().slice(1)
    expect(kinds.length).toBeGreaterThan(4)
    expect(kinds.slice(0, 4)).toEqual(['svid', 'token', 'svid', 'token'])
    const tokens = asked.flatMap(({ proof }) => (proof.kind === 'token' ? [proof.token] : []))
    expect(new Set(tokens).size).toBe(tokens.length)
    expect(agent.credentials.value).toBeDefined()
    answer = (csrDer, proof) => (proof.kind === 'svid' ? refusing() : authority.sign(csrDer, web))
    await pass(11_000, 1_000)
    expect(agent.notAfterMs).toBeGreaterThan(clock.nowMs() + hourMs / 2)
  })

  it.each<[string, (csrDer: Uint8Array) => SignedCertificate, string]>([
    ['no certificate', () => ({ chainDer: [], bundleDer: [] }), 'sent no certificate'],
    ['its own certificate', () => serverChain(), "sent somebody else's certificate"],
    [
      'a certificate for another key',
      () => authority.sign(asked[0]?.csrDer ?? new Uint8Array(), web),
      "sent somebody else's certificate",
    ],
    [
      'one that has expired',
      (csrDer) => {
        const signed = authority.sign(csrDer, web)
        clock.advance(2 * hourMs)
        return signed
      },
      'has already expired: compare the clocks',
    ],
  ])('does not take %s from the control plane', async (_, wrong, message) => {
    agent.start()
    await settle()
    const before = agent.credentials.value
    answer = wrong
    await pass(hourMs * 0.6, 10_000)
    expect(log.join('\n')).toContain(message)
    if (!message.includes('expired')) expect(agent.credentials.value).toBe(before)
  })

  const serverChain = (): SignedCertificate => {
    const pem = authority.issueServerSvid().certificateChainPem
    const der = Buffer.from(pem.split('-----')[2] ?? '', 'base64')
    return { chainDer: [der], bundleDer: [der] }
  }

  it('does nothing any more once it is stopped', async () => {
    agent.start()
    agent.stop()
    await settle()
    expect(agent.credentials.value).toBeUndefined()
    expect(clock.pendingCount).toBe(0)
  })

  it('never logs a key or a token', async () => {
    answer = dead
    agent.start()
    await settle()
    answer = (csrDer) => authority.sign(csrDer, web)
    await pass(5 * hourMs, 600_000)
    const text = log.join('\n')
    expect(text).not.toMatch(/token \d|PRIVATE/)
  })
})

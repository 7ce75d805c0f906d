import { X509Certificate } from 'node:crypto'
import { copyFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { beforeEach, describe, expect, it } from 'vitest'

import { recordingLogger } from '../../../test/kit/identity-plane.ts'
import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { createRequest } from '../../../test/kit/signing-requests.ts'
import type { RotationKind } from '../../contracts/control-api.ts'
import { certificatesFromPem } from '../../contracts/identity/pem.ts'
import type { TrustBundle } from '../../contracts/identity/svid.ts'
import { WatchableValue } from '../../core/watchable.ts'
import { createAuthority, RotationRefused } from './authority.ts'
import type { RotatableAuthority } from './authority.ts'
import { Rotation } from './rotation.ts'

const web = 'spiffe://mesh.local/ns/default/sa/web'
const hourMs = 3_600_000

describe('a rotation', () => {
  let stateDir: string
  let clock: ManualClock
  let authority: RotatableAuthority
  let rotation: Rotation
  let log: string[]
  /** What each proxy that is connected has in force. */
  let inForce: Map<string, string>
  let proxies: string[]
  let distributeForMs: number

  beforeEach(() => {
    stateDir = mkdtempSync(join(tmpdir(), 'heddle-rotation-'))
    clock = new ManualClock()
    log = []
    inForce = new Map()
    distributeForMs = 0
    proxies = ['sidecar~default~a', 'sidecar~default~b']
    begin()
    issue()
    return () => rmSync(stateDir, { recursive: true })
  })

  /** As a control plane that starts on what another has left. */
  function begin(): void {
    authority = createAuthority({ stateDir, trustDomain: 'mesh.local', clock, svidLifetimeMs: () => hourMs })
    rotation = new Rotation({
      authority,
      proxies: () => new Map(proxies.map((node) => [node, web])),
      isCurrent: (node) => inForce.get(node) === authority.trustFingerprint.value,
      distributeForMs: () => distributeForMs,
      refusesRevoked: () => true,
      clock,
      logger: recordingLogger(log),
    })
  }

  /** SIGKILL and restart: nobody is connected at first. */
  function restart(): void {
    rotation.stop()
    inForce.clear()
    begin()
  }

  function renew(...nodes: string[]): void {
    for (const node of nodes) {
      issue()
      inForce.set(node, authority.trustFingerprint.value)
    }
    rotation.check()
  }

  function issue(): { readonly chain: X509Certificate[]; readonly roots: string[] } {
    const { chainDer, bundleDer } = authority.sign(createRequest({ uris: [web] }), web)
    const chain = chainDer.map((der) => new X509Certificate(der))
    return { chain, roots: bundleDer.map((der) => new X509Certificate(der).serialNumber) }
  }

  const signingRoot = (): string => {
    const { chain } = issue()
    const roots = certificatesFromPem(authority.trustBundle.rootsPem).map((der) => new X509Certificate(der))
    const found = roots.filter((root) => chain[1]?.verify(root.publicKey))
    expect(found).toHaveLength(1)
    return found[0]?.serialNumber as string
  }
  const phase = (): string => authority.rotation?.phase ?? 'done'

  it('gives a new root to those who read the bundle elsewhere before it signs, over a restart too', () => {
    distributeForMs = 10_000
    rotation.start('root')
    renew(...proxies)
    clock.advance(9_000)
    restart()
    renew(...proxies)
    expect(phase()).toBe('distribute')
    clock.advance(999)
    expect(phase()).toBe('distribute')
    expect(rotation.status().rotation?.heldUntilMs).toBe(clock.nowMs() + 1)
    clock.advance(1)
    expect(phase()).toBe('switch')
    renew(...proxies)
    renew(...proxies)
    expect(phase()).toBe('done')
    rotation.start('intermediate')
    renew(...proxies)
    expect(phase()).toBe('done')
  })

  it('asks proxies to come again for a new trust bundle of another domain, and hands it out', () => {
    const federatedBundles = new WatchableValue<readonly TrustBundle[]>([])
    const other = createAuthority({
      stateDir,
      trustDomain: 'mesh.local',
      clock,
      svidLifetimeMs: () => hourMs,
      federatedBundles,
    })
    expect(other.trustFingerprint.value).toBe(authority.trustFingerprint.value)
    const partner = { trustDomain: 'partner.example', rootsPem: authority.trustBundle.rootsPem }
    federatedBundles.set([partner])
    expect(other.trustFingerprint.value).not.toBe(authority.trustFingerprint.value)
    expect(other.sign(createRequest({ uris: [web] }), web).federatedBundles).toEqual([partner])
    federatedBundles.set([])
    expect(other.trustFingerprint.value).toBe(authority.trustFingerprint.value)
  })

  it.each([false, true])('replaces the root in three phases, killed in each of them: %s', (killed) => {
    const next = (): void => {
      if (killed) restart()
    }
    const old = signingRoot()
    rotation.start('root')
    next()
    const fresh = issue().roots.find((root) => root !== old) as string
    expect([phase(), signingRoot(), issue().roots]).toEqual(['distribute', old, [old, fresh]])
    renew('sidecar~default~a')
    expect(rotation.status().rotation?.waitingFor).toEqual(['sidecar~default~b'])
    next()
    renew(...proxies)
    next()
    expect([phase(), signingRoot(), issue().roots]).toEqual(['switch', fresh, [fresh, old]])
    expect(rotation.status().rotation?.waitingFor).toEqual(proxies)
    renew(...proxies)
    next()
    expect([phase(), signingRoot(), issue().roots]).toEqual(['retire', fresh, [fresh]])
    renew(...proxies)
    next()
    expect([phase(), signingRoot(), issue().roots]).toEqual(['done', fresh, [fresh]])
    expect(['next-root.pem', 'rotation.json'].filter((file) => existsSync(join(stateDir, 'ca', file)))).toEqual([])
    const bundle = certificatesFromPem(readFileSync(authority.trustBundleFile, 'utf8'))
    expect(bundle.map((der) => new X509Certificate(der).serialNumber)).toEqual([fresh])
    rotation.start('root')
    expect(phase()).toBe('distribute')
  })

  it.each([false, true])('replaces the intermediate below the same root, killed on the way: %s', (killed) => {
    const old = issue().chain[1]?.serialNumber
    const root = signingRoot()
    rotation.start('intermediate')
    if (killed) restart()
    expect(phase()).toBe('switch')
    const fresh = issue().chain[1]?.serialNumber
    expect(fresh).not.toBe(old)
    renew(...proxies)
    if (killed) restart()
    expect([phase(), signingRoot(), issue().chain[1]?.serialNumber]).toEqual(['done', root, fresh])
  })

  it('goes on from whatever a crash between two files has left', () => {
    const ca = join(stateDir, 'ca')
    const copy = join(stateDir, 'before')
    // the new root was made, and nothing says why
    cpSync(ca, copy, { recursive: true })
    rotation.start('root')
    copyFileSync(join(ca, 'next-root.pem'), join(copy, 'next-root.pem'))
    rmSync(ca, { recursive: true })
    cpSync(copy, ca, { recursive: true })
    restart()
    expect([phase(), issue().roots.length]).toEqual(['done', 1])
    rotation.start('root')
    expect(issue().roots).toHaveLength(2)

    // the new signs, and the intermediate is still the old one's
    const intermediate = readFileSync(join(ca, 'intermediate.pem'))
    renew(...proxies)
    writeFileSync(join(ca, 'intermediate.pem'), intermediate)
    restart()
    expect([phase(), signingRoot()]).toEqual(['switch', issue().roots[0]])

    // the new has taken the old one's place, and nothing says so
    renew(...proxies)
    const state = readFileSync(join(ca, 'rotation.json'))
    const [fresh] = issue().roots
    renew(...proxies)
    writeFileSync(join(ca, 'rotation.json'), state)
    restart()
    expect([phase(), signingRoot(), existsSync(join(ca, 'rotation.json'))]).toEqual(['done', fresh, false])
  })

  it('does not take proxies that have yet to come back for proxies that agree', () => {
    rotation.start('root')
    renew(...proxies)
    restart()
    expect([phase(), rotation.status().rotation?.waitingFor]).toEqual(['switch', proxies])
  })

  it('waits for one that is away until its certificate has ended, no longer, and remembers that over restarts', () => {
    rotation.start('root')
    renew('sidecar~default~a')
    restart()
    renew('sidecar~default~a')
    for (const [now, then] of [
      ['distribute', 'switch'],
      ['switch', 'retire'],
      ['retire', 'done'],
    ]) {
      const endsInMs = (authority.rotation?.phaseEndsByMs ?? 0) - clock.nowMs()
      expect(endsInMs).toBeLessThanOrEqual(1.125 * hourMs)
      clock.advance(endsInMs - 1)
      expect(phase()).toBe(now)
      renew('sidecar~default~a')
      restart()
      renew('sidecar~default~a')
      clock.advance(1)
      expect(phase()).toBe(then)
    }
  })

  it('waits for holders of certificates that no document speaks of after a restart, until these have ended', () => {
    const known = proxies
    // its documents cannot be read
    proxies = []
    restart()
    rotation.start('root')
    expect([phase(), rotation.status().rotation?.waitingFor]).toEqual(['distribute', [web]])
    restart()
    rotation.check()
    expect([phase(), rotation.status().rotation?.waitingFor]).toEqual(['distribute', [web]])
    // they can, and the proxies come back
    proxies = known
    rotation.check()
    expect([phase(), rotation.status().rotation?.waitingFor]).toEqual(['distribute', known])
    renew(...known)
    expect(phase()).toBe('switch')

    proxies = []
    restart()
    clock.advance((authority.rotation?.phaseEndsByMs ?? 0) - clock.nowMs() - 1)
    expect(phase()).toBe('switch')
    clock.advance(1)
    expect(phase()).toBe('done')
  })

  it('does not wait for an identity that was removed or revoked, in this life or an earlier one', () => {
    proxies = []
    rotation.check()
    restart()
    rotation.start('root')
    expect(phase()).toBe('done')
    issue()
    clock.advance(1_000)
    restart()
    rotation.start('root')
    expect(phase()).toBe('distribute')
    rotation.revoke(web, 'lost')
    rotation.check()
    expect(phase()).toBe('done')
  })

  it('is over at once where there is no proxy', () => {
    proxies = []
    const old = signingRoot()
    rotation.start('root')
    expect(phase()).toBe('done')
    expect(signingRoot()).not.toBe(old)
  })

  it.each(['root', 'intermediate'] as const)(
    'of the %s is refused while another is under way',
    (kind: RotationKind) => {
      rotation.start('root')
      expect(() => rotation.start(kind)).toThrow(RotationRefused)
      expect(() => rotation.start(kind)).toThrow('the root is being rotated: wait until that is done')
    },
  )

  it('shows which certificate is for what', () => {
    const uses = (): string[] => rotation.status().certificates.map(({ role, use }) => `${role} ${use}`)
    expect(uses()).toEqual(['root signing', 'intermediate signing'])
    rotation.start('root')
    expect(uses()).toEqual(['root signing', 'root next', 'intermediate signing'])
    renew(...proxies)
    expect(uses()).toEqual(['root signing', 'root retiring', 'intermediate signing'])
    renew(...proxies)
    expect(uses()).toEqual(['root signing', 'intermediate signing'])
  })

  it('says what to do when its files are gone or broken', () => {
    rotation.start('root')
    rmSync(join(stateDir, 'ca', 'next-root.pem'))
    expect(restart).toThrow(/tells of a new root, but it is not there: restore the folder from a backup/)
    writeFileSync(join(stateDir, 'ca', 'rotation.json'), '{"kind":"root","phase":"x"}')
    expect(restart).toThrow(/cannot go on with the rotation in .*: it names no phase of a rotation; restore/)
  })
})

import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { BasicConstraints, KeyUsage, KeyUsageFlags } from '@peculiar/asn1-x509'
import { beforeEach, describe, expect, it } from 'vitest'

import { recordingLogger } from '../../../test/kit/identity-plane.ts'
import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { createRequest } from '../../../test/kit/signing-requests.ts'
import { changedCertificate, without, withExtension, type Change } from '../../../test/kit/svid-with-faults.ts'
import { userAuthority, writeAuthority, type UserAuthority } from '../../../test/kit/user-authority.ts'
import { createAuthority } from './authority.ts'
import type { RotatableAuthority } from './authority.ts'
import { Rotation } from './rotation.ts'
import { watchUpstreamFiles } from './upstream-watch.ts'

const web = 'spiffe://mesh.local/ns/default/sa/web'
const hourMs = 3_600_000

let folder: string
let clock: ManualClock

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-upstream-'))
  clock = new ManualClock(Date.now())
  return () => rmSync(folder, { recursive: true })
})

function authorityOf(mine: UserAuthority | undefined): RotatableAuthority {
  const upstreamFiles = mine && writeAuthority(folder, mine)
  const lifetime = { svidLifetimeMs: () => hourMs }
  return createAuthority({
    stateDir: join(folder, 'state'),
    trustDomain: 'mesh.local',
    clock,
    ...lifetime,
    upstreamFiles,
  })
}

function issued(authority: RotatableAuthority): { chain: X509Certificate[]; roots: string[] } {
  const { chainDer, bundleDer } = authority.sign(createRequest({ uris: [web] }), web)
  const roots = bundleDer.map((der) => new X509Certificate(der).fingerprint256)
  return { chain: chainDer.map((der) => new X509Certificate(der)), roots }
}

const rootOf = ({ chain }: UserAuthority): string => chain.at(-1)?.fingerprint256 as string

const changed = (change: Change): UserAuthority => {
  const mine = userAuthority()
  return { ...mine, chain: [changedCertificate(mine.chain[0] as X509Certificate, mine.key, change)] }
}
interface Running {
  readonly log: string[]
  readonly rotation: Rotation
  readonly stop: () => void
}

/** As in a control plane; `isCurrent` says what all proxies do. */
function run(authority: RotatableAuthority, isCurrent: () => boolean): Running {
  const log: string[] = []
  const logger = recordingLogger(log)
  const rotation = new Rotation({
    authority,
    proxies: () => new Map([['p', web]]),
    isCurrent,
    refusesRevoked: () => true,
    clock,
    logger,
  })
  const files = { certificateFile: join(folder, 'ca.crt'), keyFile: join(folder, 'ca.key') }
  const reload = (): void => {
    authority.reload()
    rotation.check()
  }
  const unwatch = watchUpstreamFiles({ files, reload, clock, logger })
  const stop = (): void => {
    unwatch()
    rotation.stop()
  }
  return { log, rotation, stop }
}

describe("a certificate authority of the user's own", () => {
  it.each([
    ['a root', () => userAuthority()],
    ['a root of RSA', () => userAuthority({ keyType: 'rsa' })],
    ['an issuing CA below a root', () => userAuthority({ below: userAuthority() })],
    ['an issuing CA of RSA below a root', () => userAuthority({ below: userAuthority(), keyType: 'rsa' })],
  ])('%s signs what openssl verifies, and its key stays where it was', (_, make) => {
    const mine = make()
    const { chain, roots } = issued(authorityOf(mine))
    expect(roots).toEqual([rootOf(mine)])
    expect(chain).toHaveLength(mine.chain.length + 1)
    const write = (name: string, certificates: readonly X509Certificate[]): string => {
      writeFileSync(join(folder, name), certificates.map(String).join(''))
      return join(folder, name)
    }
    const root = write('root.pem', mine.chain.slice(-1))
    const untrusted = write('untrusted.pem', chain.slice(1))
    const leaf = write('leaf.pem', chain.slice(0, 1))
    const args = ['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', root, '-untrusted', untrusted, leaf]
    expect(execFileSync('openssl', args, { encoding: 'utf8' })).toContain('leaf.pem: OK')
    expect(readdirSync(join(folder, 'state', 'ca')).toSorted()).toEqual([
      'intermediate.pem',
      'issued.json',
      'trust-bundle.pem',
      'upstream.pem',
    ])
  })

  const refused: readonly (readonly [string, () => UserAuthority, RegExp])[] = [
    ['another key', () => ({ ...userAuthority(), key: userAuthority().key }), /ca\.key is not that of the first/],
    ['one that has expired', () => userAuthority({ lifetimeMs: -1_000 }), /it expired at .*: renew it/],
    ['one that is not valid yet', () => userAuthority({ nowMs: Date.now() + 1e9 }), /valid only from/],
    [
      'none that may sign certificates',
      () => changed(withExtension('2.5.29.19', true, new BasicConstraints({ cA: false }))),
      /its certificate: its CA flag is not set/,
    ],
    ['one without key usage', () => changed(without('2.5.29.15')), /it has no key usage/],
    [
      'one without keyCertSign',
      () => changed(withExtension('2.5.29.15', true, new KeyUsage(KeyUsageFlags.cRLSign))),
      /its key usage has no keyCertSign/,
    ],
    [
      'one of another trust domain',
      () => userAuthority({ uri: 'spiffe://other.local' }),
      /it is for spiffe:\/\/other\.local, not for trust domain "mesh\.local": set trustDomain in MeshConfig/,
    ],
    ['one that may sign leaves only', () => userAuthority({ pathLength: 0 }), /its path length is 0.*take 1 or more/],
    [
      'a root that allows too few below it',
      () => userAuthority({ below: userAuthority({ pathLength: 1 }) }),
      /certificate 2 of 2: its path length is 1.*take 2 or more/,
    ],
    [
      'a chain without its root',
      () => {
        const mine = userAuthority({ below: userAuthority() })
        return { ...mine, chain: mine.chain.slice(0, 1) }
      },
      /it is no root: add the certificates above it, the root last/,
    ],
    [
      'a chain of strangers',
      () => {
        const mine = userAuthority({ below: userAuthority() })
        return { ...mine, chain: [...mine.chain.slice(0, 1), ...userAuthority().chain] }
      },
      /certificate 1 of 2: the next one did not issue it/,
    ],
  ]
  it.each(refused)('is refused at once: %s', (_, make, why) => {
    expect(() => authorityOf(make())).toThrow(why)
  })

  it('is refused when a file holds something else, and no key is shown', () => {
    const files = writeAuthority(folder, userAuthority())
    const start = (): unknown =>
      createAuthority({
        stateDir: folder,
        trustDomain: 'mesh.local',
        clock,
        svidLifetimeMs: () => 1,
        upstreamFiles: files,
      })
    writeFileSync(files.keyFile, '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n')
    expect(start).toThrow(
      /^cannot read the key of the certificate authority .*ca\.key: it holds no private key in PEM$/,
    )
    writeFileSync(files.certificateFile, '')
    expect(start).toThrow(/cannot read the certificate authority .*ca\.crt: it holds no certificate in PEM/)
  })

  it('is not left for the embedded one without being asked', () => {
    authorityOf(userAuthority())
    expect(() => authorityOf(undefined)).toThrow(
      /start with --ca-cert and --ca-key or --ca-command, or remove the folder/,
    )
  })
})

describe("the files of a user's authority", () => {
  it('are read again: a new issuing CA below the same root signs at once', () => {
    const root = userAuthority()
    const [first, second] = [userAuthority({ below: root }), userAuthority({ below: root })]
    const authority = authorityOf(first)
    run(authority, () => true)
    const before = authority.trustFingerprint.value
    writeAuthority(folder, second)
    clock.advance(1_000)
    const { chain, roots } = issued(authority)
    expect(roots).toEqual([rootOf(root)])
    expect(chain[2]?.fingerprint256).toBe(second.chain[0]?.fingerprint256)
    expect(chain[1]?.verify(second.chain[0]?.publicKey ?? root.chain[0]!.publicKey)).toBe(true)
    expect(authority.trustFingerprint.value).not.toBe(before)
  })

  it('with another root start a rotation, which goes on after a restart', () => {
    const [first, second] = [userAuthority(), userAuthority()]
    const authority = authorityOf(first)
    expect(issued(authority).roots).toEqual([rootOf(first)])
    let agree = false
    const { stop } = run(authority, () => agree)
    writeAuthority(folder, second)
    clock.advance(1_000)
    expect([authority.rotation?.phase, issued(authority).roots]).toEqual([
      'distribute',
      [rootOf(first), rootOf(second)],
    ])
    stop()

    const again = authorityOf(second)
    expect(again.rotation?.phase).toBe('distribute')
    const { chain } = issued(again)
    expect(chain[1]?.verify(first.chain[0]!.publicKey)).toBe(true)
    const resumed = run(again, () => agree).rotation
    agree = true
    resumed.check()
    expect([again.rotation, issued(again).roots]).toEqual([undefined, [rootOf(second)]])
    expect(issued(again).chain[1]?.verify(second.chain[0]!.publicKey)).toBe(true)
    expect(() => resumed.start('root')).toThrow(
      /the root comes from .*ca\.crt: put the new certificate authority there/,
    )
  })

  it('may change once more on the way, over a restart too', () => {
    const [first, second, third] = [userAuthority(), userAuthority(), userAuthority()]
    const authority = authorityOf(first)
    expect(issued(authority).roots).toEqual([rootOf(first)])
    const { stop } = run(authority, () => false)
    writeAuthority(folder, second)
    clock.advance(1_000)
    expect(issued(authority).roots).toEqual([rootOf(first), rootOf(second)])
    stop()
    const again = authorityOf(third)
    run(again, () => false)
    expect([again.rotation?.phase, issued(again).roots]).toEqual(['distribute', [rootOf(first), rootOf(third)]])
    expect(issued(again).chain[1]?.verify(first.chain[0]!.publicKey)).toBe(true)

    // while it runs, what was begun is finished first
    writeAuthority(folder, second)
    clock.advance(1_000)
    expect(issued(again).roots).toEqual([rootOf(first), rootOf(third)])
    clock.advance(4 * hourMs)
    expect(issued(again).roots).toContain(rootOf(second))
  })

  it('take over from the embedded root by a rotation', () => {
    const embedded = issued(authorityOf(undefined)).roots
    const mine = userAuthority()
    const authority = authorityOf(mine)
    let agree = false
    const { rotation } = run(authority, () => agree)
    expect(issued(authority).roots).toEqual([...embedded, rootOf(mine)])
    agree = true
    rotation.check()
    expect(issued(authority).roots).toEqual([rootOf(mine)])
    expect(issued(authorityOf(mine)).roots).toEqual([rootOf(mine)])
  })

  it('change nothing while they do not fit, and are tried until they do', () => {
    const [first, second] = [userAuthority(), userAuthority()]
    const authority = authorityOf(first)
    const { log } = run(authority, () => true)
    writeAuthority(folder, { ...second, key: first.key })
    clock.advance(5_000)
    expect(issued(authority).roots).toEqual([rootOf(first)])
    expect(log.filter((line) => line.includes('stays out of force'))).toEqual([
      expect.stringMatching(/^error .*ca\.key is not that of the first certificate/),
    ])
    writeAuthority(folder, second)
    clock.advance(1_000)
    expect(issued(authority).roots).toEqual([rootOf(second)])
  })
})

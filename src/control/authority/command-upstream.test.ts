import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { BasicConstraints, KeyUsage, KeyUsageFlags } from '@peculiar/asn1-x509'
import { beforeEach, describe, expect, it, vi } from 'vitest'

import { recordingLogger } from '../../../test/kit/identity-plane.ts'
import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { createRequest } from '../../../test/kit/signing-requests.ts'
import { changedCertificate, withExtension, without } from '../../../test/kit/svid-with-faults.ts'
import {
  userAuthority,
  writeAuthority,
  writeProgram,
  writeSigningProgram,
  type UserAuthority,
} from '../../../test/kit/user-authority.ts'
import { createAuthority } from './authority.ts'
import type { RotatableAuthority } from './authority.ts'
import { commandUpstream, type UpstreamCommand } from './command-upstream.ts'
import { intermediateRequest } from './intermediate-request.ts'
import { prepareFirstIntermediate, watchIntermediate } from './intermediate-watch.ts'
import { newKeyPair } from './key-pair.ts'
import { Rotation } from './rotation.ts'
import { intermediateFault } from './upstream-chain.ts'
import { signIntermediateWith } from './upstream-signer.ts'
import { watchUpstreamFiles } from './upstream-watch.ts'

const web = 'spiffe://mesh.local/ns/default/sa/web'
const dayMs = 86_400_000

let folder: string
let clock: ManualClock

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-command-'))
  clock = new ManualClock(Date.now())
  return () => rmSync(folder, { recursive: true })
})

const asked = (): string[] =>
  existsSync(join(folder, 'asked')) ? readFileSync(join(folder, 'asked'), 'utf8').trim().split('\n') : []

const fails = (why: string | undefined): void => {
  if (why === undefined) rmSync(join(folder, 'fault'))
  else writeFileSync(join(folder, 'fault'), why)
}
/** Time goes on until it holds: programs run in the system's. */
const until = (check: () => void): Promise<void> =>
  vi.waitFor(
    () => {
      clock.advance(100)
      check()
    },
    { timeout: 10_000, interval: 20 },
  )

const rootOf = ({ chain }: UserAuthority): string => chain.at(-1)?.fingerprint256 as string

function commandOf(program: string): UpstreamCommand {
  const { certificateFile } = writeAuthority(folder, userAuthority())
  return { certificateFile, program, environment: process.env }
}

const ask = (shell: string): Promise<Uint8Array> => {
  const upstream = commandUpstream(commandOf(writeProgram(folder, shell)), 'mesh.local', clock)
  return upstream.askForIntermediate?.(newKeyPair(), clock.nowMs() + dayMs) ?? Promise.reject(new Error('nobody'))
}

describe('the request for an intermediate', () => {
  it('is what openssl takes for one, with all that it should get', () => {
    const pem = intermediateRequest(newKeyPair(), 'mesh.local')
    const args = ['req', '-verify', '-noout', '-text']
    const text = execFileSync('openssl', args, { input: pem, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] })
    expect(text).toMatch(/Subject: O = mesh\.local, CN = Heddle intermediate/)
    expect(text).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/)
    expect(text).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign/)
    expect(text).toContain('URI:spiffe://mesh.local')
  })
})

describe('what a program answers', () => {
  const keys = newKeyPair()
  const mine = userAuthority()
  const [issuer] = mine.chain as [X509Certificate]
  const signer = { certificate: issuer, privateKey: mine.key }
  const content = { publicKey: keys.publicKey, notAfterMs: Date.now() + dayMs, trustDomain: 'mesh.local' }
  const good = new X509Certificate(signIntermediateWith(signer, content, Date.now()))
  const made = (by: UserAuthority, change: Partial<typeof content>): X509Certificate => {
    const signing = { certificate: by.chain[0] as X509Certificate, privateKey: by.key }
    return new X509Certificate(signIntermediateWith(signing, { ...content, ...change }, Date.now()))
  }
  const fault = (certificate: X509Certificate, nowMs = Date.now()): string | undefined =>
    intermediateFault(certificate, { publicKey: keys.publicKey, issuer, trustDomain: 'mesh.local', nowMs })

  it('is taken when it keeps every rule, with a path length of its own or without', () => {
    expect(fault(good)).toBeUndefined()
    const unlimited = withExtension('2.5.29.19', true, new BasicConstraints({ cA: true }))
    expect(fault(changedCertificate(good, mine.key, unlimited))).toBeUndefined()
  })

  it.each<[string, () => X509Certificate, RegExp]>([
    ['for another key', () => made(mine, { publicKey: newKeyPair().publicKey }), /for another key/],
    [
      'issued by somebody else of the same name',
      () => made(userAuthority(), {}),
      /not issued by the first certificate/,
    ],
    ['in the name of the issuer', () => made({ ...mine, key: userAuthority().key }, {}), /not issued by the first/],
    [
      'without the CA flag',
      () => changedCertificate(good, mine.key, withExtension('2.5.29.19', true, new BasicConstraints({ cA: false }))),
      /CA flag is not set/,
    ],
    ['without key usage', () => changedCertificate(good, mine.key, without('2.5.29.15')), /no key usage/],
    [
      'that may not sign certificates',
      () => changedCertificate(good, mine.key, withExtension('2.5.29.15', true, new KeyUsage(KeyUsageFlags.cRLSign))),
      /no keyCertSign/,
    ],
    ['of another trust domain', () => made(mine, { trustDomain: 'other.local' }), /for spiffe:\/\/other\.local/],
    ['that has ended', () => made(mine, { notAfterMs: Date.now() - 1_000 }), /it expired at/],
    [
      'that outlives its issuer',
      () =>
        changedCertificate(good, mine.key, (tbs) => {
          tbs.validity.notAfter.utcTime = new Date(issuer.validToDate.getTime() + dayMs)
        }),
      /after its issuer, which ends at/,
    ],
  ])('is refused: one %s', (_, make, why) => {
    expect(fault(make())).toMatch(why)
  })

  it('is refused when it is not valid yet', () => {
    expect(fault(good, Date.now() - dayMs / 2)).toMatch(/valid only from/)
  })
})

describe('a program that gives no intermediate', () => {
  it.each([
    [
      'fails',
      'echo one >&2; echo two >&2; echo 3 >&2; echo 4 >&2; exit 7',
      /sign-intermediate ended with exit code 7: one \| two \| 3$/,
    ],
    ['says nothing', 'cat > /dev/null', /sign-intermediate wrote no certificate in PEM to stdout/],
    ['says too much', 'yes', /sign-intermediate wrote more than 64 KiB/],
    ['is killed', 'kill -9 $$', /sign-intermediate was ended by SIGKILL/],
    ['has another sign', `cat '$0'; cat "$(dirname "$0")/ca.crt"`, /cannot be used: it is for another key/],
  ])('is named with the reason: it %s', async (_, shell, why) => {
    await expect(ask(shell)).rejects.toThrow(why)
  })

  it('is not waited for longer than 20 s, whatever it has started', async () => {
    const answer = ask(`touch '${folder}/begun'; sleep 5 & wait`)
    const failed = expect(answer).rejects.toThrow(/sign-intermediate did not end within 20 s/)
    await vi.waitFor(() => expect(existsSync(join(folder, 'begun'))).toBe(true))
    clock.advance(20_000)
    await failed
  })

  it('is named when it cannot be run', async () => {
    const command = commandOf(join(folder, 'nothing'))
    const upstream = commandUpstream(command, 'mesh.local', clock)
    await expect(upstream.askForIntermediate?.(newKeyPair(), clock.nowMs())).rejects.toThrow(
      /nothing cannot be run \(ENOENT\)/,
    )
  })
})

describe('an authority whose intermediate must be asked for', () => {
  let authority: RotatableAuthority
  let log: string[]
  let isCurrent: boolean
  let rotation: Rotation
  let stop: () => void

  /** As a control plane. */
  async function start(): Promise<void> {
    const upstreamFiles = {
      certificateFile: join(folder, 'ca.crt'),
      program: writeSigningProgram(folder),
      environment: process.env,
    }
    const options = { stateDir: join(folder, 'state'), trustDomain: 'mesh.local', clock, upstreamFiles }
    const lifetime = { svidLifetimeMs: () => 3_600_000 }
    await prepareFirstIntermediate({ ...options, ...lifetime })
    authority = createAuthority({ ...options, ...lifetime })
    const logger = recordingLogger(log)
    rotation = new Rotation({
      authority,
      proxies: () => new Map([['p', web]]),
      isCurrent: () => isCurrent,
      refusesRevoked: () => true,
      clock,
      logger,
    })
    const check = (): void => rotation.check()
    const reload = (): void => {
      authority.reload()
      check()
    }
    const ends = [
      watchUpstreamFiles({ files: upstreamFiles, reload, clock, logger }),
      watchIntermediate({ authority, taken: check, clock, logger }),
      () => rotation.stop(),
    ]
    stop = () => ends.forEach((end) => end())
  }

  function issued(): { readonly intermediate: string; readonly chain: X509Certificate[]; readonly roots: string[] } {
    const { chainDer, bundleDer } = authority.sign(createRequest({ uris: [web] }), web)
    const chain = chainDer.map((der) => new X509Certificate(der))
    expect(chain[0]?.verify((chain[1] as X509Certificate).publicKey)).toBe(true)
    const roots = bundleDer.map((der) => new X509Certificate(der).fingerprint256)
    return { intermediate: chain[1]?.fingerprint256 as string, chain, roots }
  }

  const failures = (): string[] => log.filter((line) => line.includes('no new intermediate'))
  /** Nothing looks meanwhile. */
  const later = async (ms: number): Promise<void> => {
    stop()
    clock.advance(ms)
    await start()
  }

  beforeEach(async () => {
    log = []
    isCurrent = true
    writeAuthority(folder, userAuthority({ below: userAuthority() }))
    await start()
    return () => stop()
  })

  it('signs with the first answer, and asks nobody again after a restart', async () => {
    const { intermediate, chain } = issued()
    expect(chain).toHaveLength(3)
    expect(asked()).toHaveLength(1)
    expect(asked()[0]).toMatch(/^mesh\.local \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    stop()
    fails('away')
    await start()
    expect(issued().intermediate).toBe(intermediate)
  })

  it('has the next one with a third left, and keeps the present one while there is none', async () => {
    const { intermediate } = issued()
    fails('Vault is sealed')
    await later(240 * dayMs)
    clock.advance(5_000)
    expect(asked()).toHaveLength(1)
    await later(10 * dayMs)
    await until(() => expect(failures()).toHaveLength(1))
    expect(failures()[0]).toMatch(/ended with exit code 3: Vault is sealed/)
    expect([asked().length, issued().intermediate]).toEqual([2, intermediate])
    // not again at once, and nothing said twice
    clock.advance(595_000)
    expect([asked().length, issued().intermediate]).toEqual([2, intermediate])
    await until(() => expect(asked()).toHaveLength(3))
    expect([failures().length, issued().intermediate]).toEqual([1, intermediate])
    fails(undefined)
    clock.advance(595_000)
    await until(() => expect(issued().intermediate).not.toBe(intermediate))
    expect(existsSync(join(folder, 'state', 'ca', 'next-intermediate.pem'))).toBe(false)
    clock.advance(700_000)
    expect(asked()).toHaveLength(4)
  })

  it('replaces the intermediate by a rotation, and nothing begins when the program fails', async () => {
    const { intermediate } = issued()
    fails('no')
    await expect(authority.prepareRotation('intermediate')).rejects.toThrow(/ended with exit code 3: no/)
    expect(() => rotation.start('intermediate')).toThrow(/has given no intermediate/)
    expect([authority.rotation, issued().intermediate]).toEqual([undefined, intermediate])
    fails(undefined)
    await authority.prepareRotation('intermediate')
    rotation.start('intermediate')
    expect(authority.rotation).toBeUndefined()
    expect(issued().intermediate).not.toBe(intermediate)
  })

  it('goes on with a rotation that was cut off before its answer was taken', async () => {
    isCurrent = false
    const before = issued().intermediate
    const kept = readFileSync(join(folder, 'state', 'ca', 'intermediate.pem'))
    await authority.prepareRotation('intermediate')
    rotation.start('intermediate')
    stop()
    // as a crash right after the rotation was written, and the answer is lost, too
    writeFileSync(join(folder, 'state', 'ca', 'intermediate.pem'), kept)
    fails('away')
    await start()
    isCurrent = true
    rotation.check()
    expect([authority.rotation?.phase, issued().intermediate]).toEqual(['switch', before])
    await until(() => expect(failures()).toHaveLength(1))
    fails(undefined)
    // a program that was changed is asked at once
    writeSigningProgram(folder)
    await until(() => expect(authority.rotation).toBeUndefined())
    expect(issued().intermediate).not.toBe(before)
  })

  it('takes new certificates only once the program signs for them, a root by a rotation', async () => {
    const before = issued()
    const next = userAuthority()
    fails('not yet')
    writeAuthority(folder, next)
    await until(() => expect(failures()).toHaveLength(1))
    expect([authority.rotation, issued().roots, issued().intermediate]).toEqual([
      undefined,
      before.roots,
      before.intermediate,
    ])
    expect(() => rotation.start('root')).toThrow(/has given no intermediate yet/)
    stop()
    await start()
    expect([authority.rotation, issued().intermediate]).toEqual([undefined, before.intermediate])

    isCurrent = false
    fails(undefined)
    await until(() => expect(authority.rotation?.phase).toBe('distribute'))
    expect([issued().roots, issued().intermediate]).toEqual([[...before.roots, rootOf(next)], before.intermediate])
    stop()
    fails('away again')
    await start()
    isCurrent = true
    rotation.check()
    expect([authority.rotation, issued().roots]).toEqual([undefined, [rootOf(next)]])
    expect(issued().chain[1]?.verify(next.chain[0]!.publicKey)).toBe(true)
  })

  it('takes another issuing CA below the same root without a rotation', async () => {
    const root = userAuthority()
    writeAuthority(folder, userAuthority({ below: root }))
    await until(() => expect(issued().roots).toEqual([rootOf(root)]))
    const second = userAuthority({ below: root })
    writeAuthority(folder, second)
    await until(() => expect(issued().chain[2]?.fingerprint256).toBe(second.chain[0]?.fingerprint256))
    expect([authority.rotation, issued().roots]).toEqual([undefined, [rootOf(root)]])
    expect(issued().chain[1]?.verify(second.chain[0]!.publicKey)).toBe(true)
  })
})

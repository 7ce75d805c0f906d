import { X509Certificate } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, it } from 'vitest'

import { recordingLogger } from '../../../test/kit/identity-plane.ts'
import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { createSigner } from '../../../test/kit/trust-domains.ts'
import { certificatesToPem } from '../../contracts/identity/pem.ts'
import { createRandom } from '../../core/random.ts'
import type { FederatedTrustDomainSpec } from '../../policies/federation/federation.spec.ts'
import { spiffeBundle } from '../authority/spiffe-bundle.ts'
import type { BundleFetchOptions } from './bundle-fetch.ts'
import { FederatedDomain } from './federated-domain.ts'

const trustDomain = 'partner.example'
const roots = [1, 2, 3].map(() => createSigner({ trustDomain }).der)
const pemOf = (...which: readonly number[]): string => certificatesToPem(which.map((i) => roots[i] as Buffer))
const bundle = (sequence: number, which: number, seconds = 60): string => {
  const written = spiffeBundle([new X509Certificate(roots[which] as Buffer)], [], {
    sequence,
    refreshHintMs: seconds * 1000,
  })
  return JSON.stringify(written)
}

describe('a federated trust domain', () => {
  let folder: string
  let clock: ManualClock
  let log: string[]
  let changes: number
  let answers: (string | Error)[]
  let asked: { readonly atMs: number; readonly rootsPem: string | undefined }[]
  const domains: FederatedDomain[] = []

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'heddle-federation-'))
    mkdirSync(folder, { recursive: true })
    clock = new ManualClock()
    log = []
    changes = 0
    answers = []
    asked = []
  })
  afterEach(() => {
    for (const domain of domains.splice(0)) domain.stop()
    rmSync(folder, { recursive: true })
  })

  const start = (spec: Omit<FederatedTrustDomainSpec, 'trustDomain'>): FederatedDomain => {
    const domain = new FederatedDomain(
      { trustDomain, ...spec },
      {
        folder,
        clock,
        random: createRandom(1),
        logger: recordingLogger(log),
        changed: () => changes++,
        fetch: (_: URL, { spiffe }: BundleFetchOptions) => {
          asked.push({ atMs: clock.nowMs(), rootsPem: spiffe?.rootsPem })
          const answer = answers.length > 1 ? answers.shift() : answers[0]
          return typeof answer === 'string' ? Promise.resolve(answer) : Promise.reject(answer ?? new Error('away'))
        },
      },
    )
    domains.push(domain)
    return domain
  }
  const endpoint: Omit<FederatedTrustDomainSpec, 'trustDomain'> = {
    trustDomainBundle: pemOf(0),
    bundleEndpointURL: 'https://partner.example/',
    bundleEndpointProfile: { type: 'https_spiffe', endpointSPIFFEID: 'spiffe://partner.example/server' },
  }
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms)
    for (let i = 0; i < 10; i++) await Promise.resolve()
  }

  it('has at once what was given, and asks with that', async () => {
    answers = [bundle(1, 1)]
    const domain = start(endpoint)
    expect(domain.bundle?.rootsPem).toBe(pemOf(0))
    await pass(0)
    expect(asked.map(({ rootsPem }) => rootsPem)).toEqual([pemOf(0)])
    expect(domain.bundle?.rootsPem).toBe(pemOf(1))
    expect(domain.status()).toMatchObject({ sequence: 1, roots: 1 })
  })

  it('is asked for anew by its refresh hint, a little early, and with the newest roots', async () => {
    answers = [bundle(1, 1), bundle(2, 2)]
    start(endpoint)
    await pass(0)
    await pass(53_999)
    expect(asked).toHaveLength(1)
    await pass(6_001)
    expect(asked.map(({ rootsPem }) => rootsPem)).toEqual([pemOf(0), pemOf(1)])
    await pass(60_000)
    expect(asked[2]?.rootsPem).toBe(pemOf(2))
  })

  it('is asked no more often than each five seconds, and at least once a day', async () => {
    answers = [bundle(1, 1, 0)]
    start(endpoint)
    await pass(0)
    for (let i = 0; i < 20; i++) await pass(1_000)
    expect(asked.length).toBeLessThanOrEqual(5)
    answers = [bundle(1, 1, 1e9)]
    await pass(5_000)
    const before = asked.length
    await pass(86_400_000)
    expect(asked.length).toBe(before + 1)
  })

  it('keeps the last good bundle while the endpoint is away, and tries again with back-off', async () => {
    answers = [bundle(1, 1), new Error('away')]
    const domain = start(endpoint)
    await pass(0)
    await pass(60_000)
    for (let i = 0; i < 600; i++) await pass(1_000)
    expect(domain.bundle?.rootsPem).toBe(pemOf(1))
    expect(domain.status().fault).toBe('away')
    expect(asked.length).toBeGreaterThan(10)
    expect(asked.length).toBeLessThan(60)
    expect(log.filter((line) => line.includes('cannot get the trust bundle'))).toHaveLength(1)
    answers = [bundle(2, 2)]
    await pass(61_000)
    expect(domain.status().fault).toBeUndefined()
    expect(domain.bundle?.rootsPem).toBe(pemOf(2))
  })

  it('believes nothing that it cannot write down, and takes it once it can', async () => {
    answers = [bundle(1, 1), bundle(2, 2)]
    const domain = start(endpoint)
    await pass(0)
    const [before, kept] = [changes, join(folder, `${trustDomain}.json`)]
    rmSync(kept)
    mkdirSync(join(kept, 'in-the-way'), { recursive: true })
    await pass(60_000)
    expect([domain.bundle?.rootsPem, changes]).toEqual([pemOf(1), before])
    expect(domain.status().fault).toMatch(/EISDIR|ENOTEMPTY|EEXIST/)
    rmSync(kept, { recursive: true })
    await pass(60_000)
    expect([domain.bundle?.rootsPem, changes, domain.status().fault]).toEqual([pemOf(2), before + 1, undefined])
  })

  it('never goes back in sequence', async () => {
    answers = [bundle(5, 1), bundle(4, 2)]
    const domain = start(endpoint)
    await pass(0)
    await pass(60_000)
    expect(domain.status().fault).toBe('spiffe_sequence went back from 5 to 4')
    answers = [JSON.stringify({ ...JSON.parse(bundle(5, 2)), spiffe_sequence: undefined })]
    await pass(60_000)
    expect(domain.status().fault).toBe('spiffe_sequence went back from 5 to none')
    expect(domain.bundle?.rootsPem).toBe(pemOf(1))
  })

  it('keeps what it has when the answer is no bundle', async () => {
    answers = [bundle(1, 1), '<html>']
    const domain = start(endpoint)
    await pass(0)
    await pass(60_000)
    expect(domain.bundle?.rootsPem).toBe(pemOf(1))
    expect(domain.status().fault).toMatch(/no trust bundle: it is neither JSON nor PEM/)
  })

  it('begins with the last good bundle after a restart, and below its sequence with nothing', async () => {
    answers = [bundle(5, 1)]
    start(endpoint)
    await pass(0)
    answers = [bundle(4, 2)]
    const again = start(endpoint)
    expect(again.bundle?.rootsPem).toBe(pemOf(1))
    await pass(0)
    expect(asked.at(-1)?.rootsPem).toBe(pemOf(1))
    expect(again.bundle?.rootsPem).toBe(pemOf(1))
  })

  it('begins anew with another bundle that is given: the word of whoever runs the mesh', async () => {
    answers = [bundle(5, 1)]
    start(endpoint)
    await pass(0)
    const again = start({ ...endpoint, trustDomainBundle: pemOf(2) })
    expect(again.bundle?.rootsPem).toBe(pemOf(2))
  })

  it('waits when what is kept is damaged', () => {
    writeFileSync(join(folder, `${trustDomain}.json`), '{')
    const domain = start({ bundleEndpointURL: 'https://a/', bundleEndpointProfile: { type: 'https_web' } })
    expect(domain.bundle).toBeUndefined()
    expect(domain.status().roots).toBe(0)
  })

  it('follows a file, and keeps the last good one while it is bad or gone', async () => {
    const file = join(folder, 'given.json')
    const domain = start({ trustDomainBundleFile: file })
    expect(domain.status().fault).toMatch(/cannot read/)
    const write = async (text: string, at: number): Promise<void> => {
      writeFileSync(file, text)
      utimesSync(file, at, at)
      await pass(1_000)
    }
    await write(pemOf(0), 1)
    expect([domain.bundle?.rootsPem, domain.status().fault, changes]).toEqual([pemOf(0), undefined, 1])
    await write('nothing', 2)
    expect(domain.status().fault).toMatch(/neither JSON nor PEM/)
    expect(domain.bundle?.rootsPem).toBe(pemOf(0))
    await write(pemOf(1), 3)
    expect([domain.bundle?.rootsPem, domain.status().fault, changes]).toEqual([pemOf(1), undefined, 2])
    rmSync(file)
    await pass(1_000)
    expect([domain.bundle?.rootsPem, /cannot read/.test(domain.status().fault ?? '')]).toEqual([pemOf(1), true])
  })

  it('asks nobody once it is stopped', async () => {
    answers = [bundle(1, 1)]
    const domain = start(endpoint)
    domain.stop()
    await pass(600_000)
    expect([asked.length, changes]).toEqual([0, 1])
  })
})

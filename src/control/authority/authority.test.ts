import { execFileSync } from 'node:child_process'
import { X509Certificate, createPrivateKey, generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { AsnConvert } from '@peculiar/asn1-schema'
import { Certificate } from '@peculiar/asn1-x509'
import { describe, expect, it, onTestFinished } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { createRequest } from '../../../test/kit/signing-requests.ts'
import { spiffeIdOf } from '../../contracts/identity/certificate-spiffe-id.ts'
import { certificatesToPem } from '../../contracts/identity/pem.ts'
import { createAuthority } from './authority.ts'
import type { Authority } from './authority.ts'
import { SigningRefused } from './signing-request.ts'

const web = 'spiffe://mesh.local/ns/default/sa/web'
const hourMs = 3_600_000

function folder(): string {
  const created = mkdtempSync(join(tmpdir(), 'heddle-ca-'))
  onTestFinished(() => rmSync(created, { recursive: true }))
  return created
}

function authorityIn(stateDir: string, clock = new ManualClock(), trustDomain = 'mesh.local'): Authority {
  return createAuthority({ stateDir, trustDomain, clock, svidLifetimeMs: () => hourMs })
}

function issued(authority: Authority, key?: { publicKey: KeyObject; privateKey: KeyObject }): X509Certificate[] {
  const { chainDer, bundleDer } = authority.sign(createRequest({ uris: [web], ...(key && { key }) }), web)
  return [...chainDer, ...bundleDer].map((der) => new X509Certificate(der))
}

function refusal(act: () => unknown): SigningRefused {
  try {
    act()
  } catch (error) {
    if (error instanceof SigningRefused) return error
    throw error
  }
  throw new Error('nothing was refused')
}

describe('the certificate authority', () => {
  it('issues an X.509-SVID by the standard', () => {
    const clock = new ManualClock()
    const [leaf, intermediate, root] = issued(authorityIn(folder(), clock)) as [
      X509Certificate,
      X509Certificate,
      X509Certificate,
    ]
    expect(leaf.subjectAltName).toBe(`URI:${web}`)
    expect(leaf.subject).toBeFalsy()
    expect(leaf.ca).toBe(false)
    expect(spiffeIdOf(leaf)).toBe(web)
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
    expect(BigInt(`0x${leaf.serialNumber}`)).toBeGreaterThan(1n << 120n)
    expect(leaf.validToDate.getTime()).toBe(clock.nowMs() + hourMs)
    expect(leaf.verify(intermediate.publicKey)).toBe(true)
    expect(leaf.checkIssued(intermediate)).toBe(true)
    expect(intermediate.verify(root.publicKey)).toBe(true)
    expect(intermediate.checkIssued(root)).toBe(true)
    expect(root.verify(root.publicKey)).toBe(true)
    expect([intermediate.ca, root.ca]).toEqual([true, true])
    expect([spiffeIdOf(intermediate), spiffeIdOf(root)]).toEqual([undefined, undefined])
    const extensions = AsnConvert.parse(leaf.raw, Certificate).tbsCertificate.extensions ?? []
    const critical = Object.fromEntries(extensions.map(({ extnID, critical: is }) => [extnID, is]))
    expect(critical).toEqual({
      '2.5.29.14': false, // subject key identifier
      '2.5.29.15': true, // key usage
      '2.5.29.17': true, // subject alternative name
      '2.5.29.19': true, // basic constraints
      '2.5.29.35': false, // authority key identifier
      '2.5.29.37': false, // extended key usage
    })
    const keyUsage = extensions.find(({ extnID }) => extnID === '2.5.29.15')
    expect(Buffer.from(keyUsage?.extnValue.buffer ?? new ArrayBuffer()).toString('hex')).toBe('03020780')
  })

  it('back-dates a minute, but never before its own certificate', () => {
    const clock = new ManualClock()
    const authority = authorityIn(folder(), clock)
    const [first, intermediate] = issued(authority) as [X509Certificate, X509Certificate]
    expect(first.validFromDate).toEqual(intermediate.validFromDate)
    clock.advance(hourMs)
    const [later] = issued(authority) as [X509Certificate]
    expect(later.validFromDate.getTime()).toBe(clock.nowMs() - 60_000)
  })

  it('never gives two certificates one serial number', () => {
    const authority = authorityIn(folder())
    const serials = Array.from({ length: 50 }, () => issued(authority)[0]?.serialNumber)
    expect(new Set(serials).size).toBe(50)
  })

  it('stands up to openssl verify -x509_strict', (context) => {
    try {
      execFileSync('openssl', ['version'])
    } catch {
      context.skip('openssl is not installed: strictness is NOT checked')
    }
    const dir = folder()
    const clock = new ManualClock(Date.now())
    for (const key of [
      generateKeyPairSync('ec', { namedCurve: 'P-256' }),
      generateKeyPairSync('ec', { namedCurve: 'P-384' }),
      generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ]) {
      const [leaf, intermediate, root] = issued(authorityIn(dir, clock), key)
      const write = (name: string, certificate: X509Certificate | undefined): string => {
        writeFileSync(join(dir, name), certificate?.toString() ?? '')
        return join(dir, name)
      }
      const files = [write('root.crt', root), write('intermediate.crt', intermediate), write('leaf.crt', leaf)] as const
      for (const purpose of ['sslserver', 'sslclient']) {
        const args = [
          'verify',
          '-x509_strict',
          '-purpose',
          purpose,
          '-CAfile',
          files[0],
          '-untrusted',
          files[1],
          files[2],
        ]
        expect(execFileSync('openssl', args, { encoding: 'utf8' })).toContain('leaf.crt: OK')
      }
    }
  })

  it('is the same authority after a restart, its keys for nobody else to read', () => {
    const stateDir = folder()
    const before = issued(authorityIn(stateDir))
    const after = issued(authorityIn(stateDir))
    expect(after.slice(1).map(({ fingerprint256 }) => fingerprint256)).toEqual(
      before.slice(1).map(({ fingerprint256 }) => fingerprint256),
    )
    const ca = join(stateDir, 'ca')
    expect(statSync(ca).mode & 0o777).toBe(0o700)
    expect(readdirSync(ca).toSorted()).toEqual(['intermediate.pem', 'issued.json', 'root.pem', 'trust-bundle.pem'])
    for (const file of readdirSync(ca)) expect(statSync(join(ca, file)).mode & 0o777).toBe(0o600)
    expect(readFileSync(join(ca, 'trust-bundle.pem'), 'utf8')).toBe(
      certificatesToPem([before[2]?.raw ?? Buffer.alloc(0)]),
    )
  })

  it('replaces an intermediate that is in the last third of its life', () => {
    const stateDir = folder()
    const clock = new ManualClock()
    const authority = authorityIn(stateDir, clock)
    const [, first] = issued(authority)
    clock.advance(240 * 24 * hourMs)
    expect(issued(authority)[1]?.fingerprint256).toBe(first?.fingerprint256)
    clock.advance(5 * 24 * hourMs)
    const [leaf, second, root] = issued(authority) as [X509Certificate, X509Certificate, X509Certificate]
    expect(second.fingerprint256).not.toBe(first?.fingerprint256)
    expect(leaf.verify(second.publicKey) && second.verify(root.publicKey)).toBe(true)
    expect(issued(authorityIn(stateDir, clock))[1]?.fingerprint256).toBe(second.fingerprint256)
  })

  it('signs nothing that outlives it, and stops when the root has expired', () => {
    const stateDir = folder()
    const clock = new ManualClock()
    const authority = authorityIn(stateDir, clock)
    clock.advance(3650 * 24 * hourMs - hourMs / 2)
    const [leaf, intermediate, root] = issued(authority) as [X509Certificate, X509Certificate, X509Certificate]
    expect(leaf.validToDate).toEqual(root.validToDate)
    expect(intermediate.validToDate).toEqual(root.validToDate)
    expect(issued(authority)[1]?.fingerprint256).toBe(intermediate.fingerprint256)
    clock.advance(hourMs)
    expect(() => authorityIn(stateDir, clock)).toThrow(/root\.pem has expired: remove the folder/)
  })

  it('has a certificate for the control plane itself', () => {
    const svid = authorityIn(folder()).issueServerSvid()
    const leaf = new X509Certificate(svid.certificateChainPem)
    expect(spiffeIdOf(leaf)).toBe('spiffe://mesh.local/ns/heddle-system/sa/control-plane')
    expect(leaf.checkPrivateKey(createPrivateKey(svid.privateKeyPem))).toBe(true)
    expect([svid.notBeforeMs, svid.notAfterMs]).toEqual([leaf.validFromDate.getTime(), leaf.validToDate.getTime()])
  })
})

describe('files of the authority that cannot be used', () => {
  it('are named, with the way out, and no key is printed', () => {
    const stateDir = folder()
    authorityIn(stateDir)
    const root = join(stateDir, 'ca', 'root.pem')
    const good = readFileSync(root, 'utf8')

    chmodSync(root, 0o644)
    expect(() => authorityIn(stateDir)).toThrow(/root\.pem: others may read it \(mode 644\): run `chmod 600/)
    chmodSync(root, 0o600)

    writeFileSync(root, good.slice(0, 100))
    expect(() => authorityIn(stateDir)).toThrow(/root\.pem: it holds no certificate; restore it from a backup/)
    writeFileSync(root, good.replace(/MIG.*\n/, 'AAAA\n'))
    const secret = good.split('\n')[1] as string
    let message = ''
    try {
      authorityIn(stateDir)
    } catch (error) {
      message = String(error)
    }
    expect(message).toContain('cannot use the signing key')
    expect(message).not.toContain(secret)

    const other = folder()
    authorityIn(other)
    const foreignKey = readFileSync(join(other, 'ca', 'root.pem'), 'utf8').split('-----BEGIN CERT')[0] as string
    writeFileSync(root, foreignKey + good.slice(good.indexOf('-----BEGIN CERT')))
    expect(() => authorityIn(stateDir)).toThrow('its key and certificate do not fit')

    writeFileSync(root, good)
    expect(() => authorityIn(stateDir, new ManualClock(), 'other.local')).toThrow(
      /is for URI:spiffe:\/\/mesh\.local, not for trust domain "other\.local"/,
    )
  })

  it('an intermediate of another root is replaced', () => {
    const [mine, other] = [folder(), folder()]
    authorityIn(mine)
    authorityIn(other)
    copyFileSync(join(other, 'ca', 'intermediate.pem'), join(mine, 'ca', 'intermediate.pem'))
    const [, intermediate, root] = issued(authorityIn(mine)) as [X509Certificate, X509Certificate, X509Certificate]
    expect(intermediate.verify(root.publicKey)).toBe(true)
  })
})

describe('certificate requests that are refused', () => {
  const authority = createAuthority({
    stateDir: mkdtempSync(join(tmpdir(), 'heddle-ca-')),
    trustDomain: 'mesh.local',
    clock: new ManualClock(),
    svidLifetimeMs: () => hourMs,
  })

  it("asks for somebody else's identity", () => {
    const request = createRequest({ uris: ['spiffe://mesh.local/ns/default/sa/payment'] })
    const refused = refusal(() => authority.sign(request, web))
    expect(refused.reason).toBe('denied')
    expect(refused.message).toContain(`for "spiffe://mesh.local/ns/default/sa/payment", but the caller is ${web}`)
  })

  it.each([
    ['no name', createRequest({ uris: [] })],
    ['two URIs', createRequest({ uris: [web, web] })],
    ['a DNS name beside the URI', createRequest({ uris: [web], dnsNames: ['web.default'] })],
    ['only a DNS name', createRequest({ uris: [], dnsNames: ['web.default'] })],
    ['two extensions of names', createRequest({ uris: [web], repeatExtension: true })],
  ])('asks for %s', (_, request) => {
    const refused = refusal(() => authority.sign(request, web))
    expect([refused.reason, refused.message]).toEqual(['invalid', expect.stringContaining('exactly one')])
  })

  it.each([
    ['RSA 1024', generateKeyPairSync('rsa', { modulusLength: 1024 })],
    ['P-521', generateKeyPairSync('ec', { namedCurve: 'P-521' })],
    ['secp256k1', generateKeyPairSync('ec', { namedCurve: 'secp256k1' })],
  ])('has a key of %s', (_, key) => {
    expect(refusal(() => authority.sign(createRequest({ uris: [web], key }), web)).message).toContain('its key must be')
  })

  it('is signed by another key', () => {
    const signer = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const refused = refusal(() => authority.sign(createRequest({ uris: [web], signer: signer.privateKey }), web))
    expect(refused.message).toContain('its signature does not fit its key')
  })

  it('is nonsense, however it was damaged', () => {
    expect(refusal(() => authority.sign(new Uint8Array(), web)).reason).toBe('invalid')
    expect(refusal(() => authority.sign(new Uint8Array(20_000), web)).message).toContain('16384 bytes')
    const good = createRequest({ uris: [web] })
    for (let at = 0; at < good.length; at++) {
      const damaged = Uint8Array.from(good)
      damaged[at] = (damaged[at] as number) ^ 0x55
      expect(refusal(() => authority.sign(damaged, web)).reason).toBe('invalid')
      expect(refusal(() => authority.sign(good.subarray(0, at), web)).reason).toBe('invalid')
    }
  })
})

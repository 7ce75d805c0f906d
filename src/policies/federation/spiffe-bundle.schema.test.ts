import { X509Certificate, generateKeyPairSync } from 'node:crypto'

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { createSigner, issueSvid } from '../../../test/kit/trust-domains.ts'
import { certificatesFromPem, certificatesToPem } from '../../contracts/identity/pem.ts'
import { jwtKey } from '../../control/authority/jwt-svid.ts'
import { newKeyPair } from '../../control/authority/key-pair.ts'
import { jwtBundleKey, spiffeBundle } from '../../control/authority/spiffe-bundle.ts'
import { maxBundleBytes, parseSpiffeBundle } from './spiffe-bundle.schema.ts'

const trustDomain = 'partner.example'
const root = createSigner({ trustDomain })
const below = createSigner({ trustDomain, issuer: root })
const rootPem = certificatesToPem([root.der])
const brainpool = createSigner({
  trustDomain,
  key: generateKeyPairSync('ec', { namedCurve: 'brainpoolP256r1' }).privateKey,
}).der
const jwt = jwtBundleKey(jwtKey(newKeyPair().privateKey))
const written = spiffeBundle([new X509Certificate(root.der)], [jwt], { sequence: 7, refreshHintMs: 60_000 })
const [rootKey] = written.keys as readonly object[]

const fault = (document: unknown): string | undefined =>
  parseSpiffeBundle(typeof document === 'string' ? document : JSON.stringify(document)).fault
const withKeys = (...keys: readonly unknown[]) => ({ keys })
const x5c = (...certificates: readonly Buffer[]) => ({
  use: 'x509-svid',
  x5c: certificates.map((der) => der.toString('base64')),
})
const keyOf = (der: Buffer) => ({ ...new X509Certificate(der).publicKey.export({ format: 'jwk' }), ...x5c(der) })

describe('a trust bundle of another domain', () => {
  it('is read as we write ours', () => {
    expect(parseSpiffeBundle(JSON.stringify(written)).bundle).toEqual({
      rootsPem: rootPem,
      jwtKeys: [jwt],
      sequence: 7,
      refreshHintMs: 60_000,
    })
  })

  it('may be roots in PEM', () => {
    expect(parseSpiffeBundle(`\n${rootPem}${rootPem}`).bundle).toEqual({ rootsPem: rootPem, jwtKeys: [] })
  })

  it('may hold uses that nobody knows, and certificates above which there is more', () => {
    const document = withKeys({ use: 'sig' }, {}, keyOf(below.der), rootKey)
    expect(parseSpiffeBundle(JSON.stringify(document)).bundle?.rootsPem).toBe(rootPem)
  })

  const leaf = certificatesFromPem(issueSvid(`spiffe://${trustDomain}/a`, root).certificateChainPem)[0] as Buffer
  const privateJwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
  it.each<readonly [string, unknown, RegExp]>([
    ['nothing', '', /neither JSON nor PEM/],
    ['garbage', '<html>', /neither JSON nor PEM/],
    ['a list', [], /it is no JSON object/],
    ['no keys', {}, /no list of keys/],
    ['an empty list of keys', withKeys(), /no root/],
    ['a key that is none', withKeys(7), /keys\[0\] is no JSON object/],
    ['keys of JWT-SVIDs alone', withKeys(jwt), /no root/],
    ['an intermediate alone', withKeys(keyOf(below.der)), /no root/],
    [
      'a root whose key JWK has no name for',
      withKeys({ kty: 'EC', ...x5c(brainpool) }),
      /a kind that a JWK cannot hold/,
    ],
    ['an SVID as root', withKeys(keyOf(leaf)), /may not sign: its CA flag is not set/],
    ['two certificates for one key', withKeys({ ...rootKey, ...x5c(root.der, below.der) }), /exactly one certificate/],
    ['no certificate', withKeys({ ...rootKey, x5c: undefined }), /exactly one certificate/],
    ['a broken certificate', withKeys({ ...rootKey, x5c: ['AAAA'] }), /it is no certificate/],
    ['a certificate of another key', withKeys({ ...rootKey, x: jwt.x }), /not that of its certificate/],
    ['a private key', withKeys(rootKey, { ...privateJwk, use: 'jwt-svid', kid: 'a' }), /a private key/],
    ['a private key in PEM', `${rootPem}-----BEGIN PRIVATE KEY-----`, /a private key/],
    ['no name for a key of JWT-SVIDs', withKeys(rootKey, { ...jwt, kid: '' }), /needs a kid/],
    ['a key of JWT-SVIDs that is none', withKeys(rootKey, { use: 'jwt-svid', kty: 'EC', kid: 'a' }), /no public key/],
    ['a symmetric key', withKeys(rootKey, { use: 'jwt-svid', kty: 'oct', k: 'AAAA', kid: 'a' }), /no public key/],
    ['a sequence that is no counter', { ...written, spiffe_sequence: -1 }, /not a counter/],
    ['a hint that is no number', { ...written, spiffe_refresh_hint: '5' }, /not a number of seconds/],
    ['too many keys', withKeys(rootKey, ...Array.from({ length: 65 }, () => jwt)), /more than 64 keys/],
    ['too many bytes', ' '.repeat(maxBundleBytes + 1), /larger than/],
  ])('is refused with %s', (_, document, why) => {
    expect(fault(document)).toMatch(why)
  })

  it('never fails otherwise than by saying why', () => {
    fc.assert(fc.property(fc.json(), (text) => fault(text) !== undefined))
    const entry = fc.record({
      use: fc.constantFrom('x509-svid', 'jwt-svid'),
      kid: fc.string(),
      x5c: fc.array(fc.base64String()),
    })
    fc.assert(fc.property(fc.array(entry), (keys) => fault(withKeys(...keys)) !== undefined))
  })
})

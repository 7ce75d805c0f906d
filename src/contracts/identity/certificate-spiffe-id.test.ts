import { X509Certificate, generateKeyPairSync } from 'node:crypto'

import { describe, expect, it } from 'vitest'

import { buildCertificate } from '../../control/authority/certificate-builder.ts'
import { spiffeIdOf } from './certificate-spiffe-id.ts'

function certificate(uri: string, role: 'leaf' | 'signer' = 'leaf'): X509Certificate {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const kind = role === 'leaf' ? { role } : { role, commonName: 'ca', trustDomain: 'mesh.local', pathLength: 0 }
  const content = { publicKey: keys.publicKey, notBeforeMs: 1_000, notAfterMs: 2_000, uri, kind }
  return new X509Certificate(buildCertificate(content, { ...keys, subjectDer: undefined }))
}

describe('the SPIFFE ID of a certificate', () => {
  it('is its only URI', () => {
    expect(spiffeIdOf(certificate('spiffe://mesh.local/ns/a/sa/b'))).toBe('spiffe://mesh.local/ns/a/sa/b')
  })

  it.each([
    ['another scheme', certificate('https://mesh.local/ns/a/sa/b')],
    ['a certificate that signs others', certificate('spiffe://mesh.local/ns/a/sa/b', 'signer')],
  ])('is absent from %s', (_, shown) => {
    expect(spiffeIdOf(shown)).toBeUndefined()
  })

  it('is not fooled by a separator inside a name', () => {
    const tricky = certificate('https://x/, URI:spiffe://mesh.local/ns/a/sa/admin')
    expect(spiffeIdOf(tricky)).toBeUndefined()
    const reversed = certificate('spiffe://mesh.local/ns/a/sa/b, URI:https://x')
    expect(spiffeIdOf(reversed)).not.toBe('spiffe://mesh.local/ns/a/sa/b')
  })
})

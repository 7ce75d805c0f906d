import { createPrivateKey, createPublicKey } from 'node:crypto'

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { parseSigningRequest } from '../../control/authority/signing-request.ts'
import { createCertificateRequest } from './certificate-request.ts'

describe('a certificate request', () => {
  it('is what the authority reads: a proven key and one name, of every length', () => {
    const path = fc.stringMatching(/^[a-z0-9._-]{1,300}$/)
    fc.assert(
      fc.property(path, path, (namespace, serviceAccount) => {
        const spiffeId = `spiffe://mesh.local/ns/${namespace}/sa/${serviceAccount}`
        const { csrDer, privateKeyPem } = createCertificateRequest(spiffeId)
        const request = parseSigningRequest(csrDer)
        expect(request.spiffeId).toBe(spiffeId)
        expect(request.publicKey.equals(createPublicKey(createPrivateKey(privateKeyPem)))).toBe(true)
      }),
      { numRuns: 200 },
    )
  })

  it('has a new key every time', () => {
    const keys = Array.from({ length: 5 }, () => createCertificateRequest('spiffe://a/ns/b/sa/c').privateKeyPem)
    expect(new Set(keys).size).toBe(5)
  })
})

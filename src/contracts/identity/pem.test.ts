import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { certificatesFromPem, certificatesToPem } from './pem.ts'

describe('PEM', () => {
  it('reads back what it wrote', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 })), (certificates) => {
        const read = certificatesFromPem(certificatesToPem(certificates))
        expect(read.map((der) => new Uint8Array(der))).toEqual(certificates.map((der) => new Uint8Array(der)))
      }),
    )
  })

  it('passes over everything that is no certificate', () => {
    const key = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'
    expect(certificatesFromPem(`# roots\n${key}${certificatesToPem([Buffer.from('x')])}`)).toEqual([Buffer.from('x')])
    expect(certificatesFromPem('-----BEGIN CERTIFICATE-----\nAAAA\n')).toEqual([])
  })
})

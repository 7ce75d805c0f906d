import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { CarelessAuthority } from '../../../test/kit/svid-with-faults.ts'
import { certificatesFromPem } from './pem.ts'
import { readLeafSvid, signingCertificateFault } from './x509-svid.ts'

// each rule, in real handshakes: test/e2e/identity-svid-rules.e2e.ts
describe('the reader of X.509-SVIDs', () => {
  const authority = new CarelessAuthority()
  const [leaf, intermediate] = certificatesFromPem(authority.issue().certificateChainPem) as [Buffer, Buffer]
  const [root] = certificatesFromPem(authority.rootsPem) as [Buffer]

  it('tells leaves from signing certificates', () => {
    expect(readLeafSvid(leaf)).toEqual({ spiffeId: 'spiffe://mesh.local/ns/default/sa/reviews' })
    expect(readLeafSvid(intermediate).fault).toMatch(/CA flag is set/)
    expect([intermediate, root].map(signingCertificateFault)).toEqual([undefined, undefined])
    expect(signingCertificateFault(leaf)).toBe('its CA flag is not set')
  })

  it('answers for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(readLeafSvid(bytes).fault).toBeDefined()
        expect(signingCertificateFault(bytes)).toBeDefined()
      }),
    )
    for (let at = 0; at < leaf.length; at++) {
      expect(readLeafSvid(leaf.subarray(0, at)).fault).toBeDefined()
      const damaged = Buffer.from(leaf)
      damaged[at] = (damaged[at] as number) ^ 0x80
      const { spiffeId, fault } = readLeafSvid(damaged)
      expect(spiffeId === undefined).toBe(fault !== undefined)
    }
  })
})

// The certificate chain in use, for /certs. Public parts only.
import { X509Certificate } from 'node:crypto'

import type { X509Svid } from '../../contracts/identity/svid.ts'

export interface CertificateReport {
  readonly spiffeId: string
  /** Hexadecimal, upper case. */
  readonly serialNumber: string
  readonly issuer: string
  /** Milliseconds since the Unix epoch. */
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

/** Empty before the first certificate. */
export function describeCertificates(svid: X509Svid | undefined): CertificateReport[] {
  if (svid === undefined) return []
  const leaf = new X509Certificate(svid.certificateChainPem)
  return [
    {
      spiffeId: svid.spiffeId,
      serialNumber: leaf.serialNumber,
      issuer: leaf.issuer,
      notBeforeMs: svid.notBeforeMs,
      notAfterMs: svid.notAfterMs,
    },
  ]
}

// Whose certificate is this? For those who only want to know that.
import type { X509Certificate } from 'node:crypto'

import { readLeafSvid } from './x509-svid.ts'

/**
 * The SPIFFE ID of a leaf certificate; undefined when it is no X.509-SVID. Says nothing about whether the certificate is trusted: the TLS
 * handshake does.
 */
export function spiffeIdOf(certificate: Pick<X509Certificate, 'raw'>): string | undefined {
  return readLeafSvid(certificate.raw).spiffeId
}

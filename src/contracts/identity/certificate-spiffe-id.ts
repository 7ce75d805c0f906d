// Whose certificate is this? The one place where a SPIFFE ID is read out of an X.509 certificate.
import type { X509Certificate } from 'node:crypto'

/**
 * The SPIFFE ID of a leaf certificate; undefined when it has none, has several URIs, or may sign others (X509-SVID standard, sections 2 and
 * 4.1). Says nothing about whether the certificate is trusted: the TLS handshake does.
 */
export function spiffeIdOf(certificate: X509Certificate): string | undefined {
  if (certificate.ca) return undefined
  // Node writes a comma inside a name as an escape, so that this cannot be fooled by one
  const uris = (certificate.subjectAltName ?? '').split(', ').filter((name) => name.startsWith('URI:'))
  const uri = uris.length === 1 ? uris[0]?.slice('URI:'.length) : undefined
  return uri?.startsWith('spiffe://') === true ? uri : undefined
}

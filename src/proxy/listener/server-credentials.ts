// What a filter chain shows to those who connect by TLS: the proxy's own SVID, or one of the certificates given by name.
import { X509Certificate } from 'node:crypto'

import type { TlsCredentials } from '../io/connection.ts'
import type { DownstreamTls, SecretConfig } from '../runtime/runtime-config.ts'

interface Certificate {
  readonly credentials: TlsCredentials
  readonly leaf: X509Certificate
}

/** One object as long as a secret stays the same: back ends make one TLS context for each. */
const certificates = new WeakMap<SecretConfig, Certificate | Error>()

/** `own` is the SVID. An Error says why there are none; what follows a ": " in it is detail. */
export function serverCredentials(
  tls: DownstreamTls,
  serverName: string | undefined,
  own: TlsCredentials | undefined,
  secretOf: (name: string) => SecretConfig | undefined,
): TlsCredentials | Error {
  if (tls.kind === 'mesh') return own ?? new Error('this proxy has no certificate yet')
  let first: Certificate | Error | undefined
  for (const name of tls.secrets) {
    const secret = secretOf(name)
    const found = secret?.kind === 'certificate' ? certificateOf(name, secret) : missing(name)
    if (found instanceof Error) {
      first ??= found
      continue
    }
    if (serverName === undefined || isFor(found.leaf, serverName)) return found.credentials
    if (first === undefined || first instanceof Error) first = found
  }
  if (first instanceof Error) return first
  return first?.credentials ?? new Error('this listener has no certificate')
}

function missing(name: string): Error {
  return new Error(`a certificate of this listener is missing: ${name}`)
}

function certificateOf(name: string, secret: SecretConfig & { readonly kind: 'certificate' }): Certificate | Error {
  let certificate = certificates.get(secret)
  if (certificate === undefined) certificates.set(secret, (certificate = readCertificate(name, secret)))
  return certificate
}

function readCertificate(name: string, secret: SecretConfig & { readonly kind: 'certificate' }): Certificate | Error {
  const { certificateChainPem, privateKeyPem } = secret
  try {
    const leaf = new X509Certificate(certificateChainPem)
    return { credentials: { certificateChainPem, privateKeyPem, rootsPem: '' }, leaf }
  } catch {
    // Not the parser's own words: they may quote what they could not read.
    return new Error(`a certificate of this listener cannot be read: ${name}`)
  }
}

/** By its subject alternative names alone (RFC 9525 section 2). */
function isFor(certificate: X509Certificate, serverName: string): boolean {
  return certificate.checkHost(serverName, { subject: 'never', partialWildcards: false }) !== undefined
}

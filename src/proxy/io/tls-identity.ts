// TLS contexts of a proxy's own X.509-SVID, and who the peer of a finished handshake is.
import { constants, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext, type SecureContextOptions, type TLSSocket } from 'node:tls'

import { parseSpiffeId } from '../../contracts/identity/spiffe-id.ts'
import type { TlsCredentials, TlsInfo } from './connection.ts'

/** TLS 1.3 only; without tickets a session is never resumed, so both identities are checked on every handshake. */
export function contextOptions(credentials: TlsCredentials): SecureContextOptions {
  return {
    cert: credentials.certificateChainPem,
    key: credentials.privateKeyPem,
    ca: credentials.rootsPem,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    secureOptions: constants.SSL_OP_NO_TICKET,
  }
}

const contexts = new WeakMap<TlsCredentials, SecureContext>()

export function clientContext(credentials: TlsCredentials): SecureContext {
  let context = contexts.get(credentials)
  if (context === undefined) contexts.set(credentials, (context = createSecureContext(contextOptions(credentials))))
  return context
}

const ownCertificates = new WeakMap<TlsCredentials, X509Certificate>()

export function ownCertificate(credentials: TlsCredentials): X509Certificate {
  let certificate = ownCertificates.get(credentials)
  if (certificate === undefined) {
    ownCertificates.set(credentials, (certificate = new X509Certificate(credentials.certificateChainPem)))
  }
  return certificate
}

/** Throws when the certificate is no X.509-SVID of our trust domain (X509-SVID, sections 2, 4.1 and 5.2). */
export function tlsInfo(socket: TLSSocket, credentials: TlsCredentials, requireCertificate: boolean): TlsInfo {
  const own = ownCertificate(credentials)
  const peer = socket.getPeerX509Certificate()
  if (peer === undefined && requireCertificate) throw new Error('it showed no certificate')
  const alpn = typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : undefined
  const sni = typeof socket.servername === 'string' && socket.servername !== '' ? socket.servername : undefined
  const ownEndMs = own.validToDate.getTime()
  if (peer === undefined) return { peerSpiffeId: undefined, notAfterMs: ownEndMs, alpn, sni }
  if (!socket.authorized) throw new Error(`its certificate does not verify: ${String(socket.authorizationError)}`)
  if (peer.ca) throw new Error('it showed a signing certificate')
  const peerSpiffeId = spiffeIdOf(peer)
  if (trustDomainOf(peerSpiffeId) !== trustDomainOf(spiffeIdOf(own))) {
    throw new Error(`${peerSpiffeId} is of another trust domain`)
  }
  return { peerSpiffeId, notAfterMs: Math.min(ownEndMs, peer.validToDate.getTime()), alpn, sni }
}

function spiffeIdOf(certificate: X509Certificate): string {
  // Node quotes values that could be mistaken for several names; a SPIFFE ID never needs quoting.
  const uris = (certificate.subjectAltName ?? '').split(', ').filter((name) => name.startsWith('URI:'))
  const id = uris[0]?.slice('URI:'.length)
  if (id === undefined || uris.length > 1 || !id.startsWith('spiffe://')) {
    throw new Error('its certificate does not carry exactly one SPIFFE ID')
  }
  return id
}

function trustDomainOf(spiffeId: string): string | undefined {
  return parseSpiffeId(spiffeId)?.trustDomain ?? /^spiffe:\/\/([^/]+)/.exec(spiffeId)?.[1]
}

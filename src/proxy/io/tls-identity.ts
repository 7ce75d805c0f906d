// TLS contexts of a proxy's own X.509-SVID, and who the peer of a finished handshake is.
import { constants, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext, type SecureContextOptions, type TLSSocket } from 'node:tls'

import { parseSpiffeId } from '../../contracts/identity/spiffe-id.ts'
import { errorMessage } from '../../core/errors.ts'
import type { MeshTls, ServerTls, TlsCredentials, TlsInfo } from './connection.ts'

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

const serverContexts = new WeakMap<TlsCredentials, Map<ServerTls['clientCertificate'], SecureContext>>()

export function serverContext({ credentials, clientCertificate }: ServerTls): SecureContext {
  let ofCredentials = serverContexts.get(credentials)
  if (ofCredentials === undefined) serverContexts.set(credentials, (ofCredentials = new Map()))
  let context = ofCredentials.get(clientCertificate)
  if (context === undefined) {
    context = createSecureContext(contextOptions(credentials))
    ofCredentials.set(clientCertificate, context)
  }
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

/** What a finished handshake tells of the peer. */
export interface HandshakeResult {
  readonly certificate: X509Certificate | undefined
  /** Why the certificate does not verify against our roots; undefined when it does. */
  readonly verifyError: string | undefined
  readonly alpn: string | undefined
  readonly sni: string | undefined
}

export function handshakeResult(socket: TLSSocket): HandshakeResult {
  return {
    certificate: socket.getPeerX509Certificate(),
    verifyError: socket.authorized ? undefined : String(socket.authorizationError),
    alpn: typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : undefined,
    sni: typeof socket.servername === 'string' && socket.servername !== '' ? socket.servername : undefined,
  }
}

/** Throws when the certificate is no X.509-SVID of our trust domain (X509-SVID, sections 2, 4.1 and 5.2). */
export function tlsInfo(result: HandshakeResult, credentials: TlsCredentials, requireCertificate: boolean): TlsInfo {
  const { certificate, verifyError, alpn, sni } = result
  const own = ownCertificate(credentials)
  if (certificate === undefined && requireCertificate) throw new Error('it showed no certificate')
  const ownEndMs = own.validToDate.getTime()
  if (certificate === undefined) return { peerSpiffeId: undefined, notAfterMs: ownEndMs, alpn, sni }
  if (verifyError !== undefined) throw new Error(`its certificate does not verify: ${verifyError}`)
  if (certificate.ca) throw new Error('it showed a signing certificate')
  const peerSpiffeId = spiffeIdOf(certificate)
  if (trustDomainOf(peerSpiffeId) !== trustDomainOf(spiffeIdOf(own))) {
    throw new Error(`${peerSpiffeId} is of another trust domain`)
  }
  return { peerSpiffeId, notAfterMs: Math.min(ownEndMs, certificate.validToDate.getTime()), alpn, sni }
}

/** `tlsInfo`, and the peer must be one of those expected. */
export function acceptPeer(result: HandshakeResult, { credentials, peerSpiffeIds }: MeshTls): TlsInfo {
  try {
    const info = tlsInfo(result, credentials, true)
    const id = info.peerSpiffeId as string
    if (peerSpiffeIds.includes(id)) return info
    throw new Error(`the peer is ${id}, expected ${peerSpiffeIds.join(' or ') || 'nobody'}`)
  } catch (error) {
    throw new Error(`peer not accepted: ${errorMessage(error)}`, { cause: error })
  }
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

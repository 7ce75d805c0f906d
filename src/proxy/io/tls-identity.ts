// Who the peer of a finished handshake is: a workload by its SPIFFE ID, a server outside the mesh by its name.
import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import type { TLSSocket } from 'node:tls'

import { parseSpiffeId } from '../../contracts/identity/spiffe-id.ts'
import { errorMessage } from '../../core/errors.ts'
import type { ClientTls, MeshTls, OriginatedTls, TlsCredentials, TlsInfo } from './connection.ts'

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

/** Throws when the server is not one of those that `tls` expects. */
export function acceptServer(result: HandshakeResult, tls: ClientTls): TlsInfo {
  try {
    return tls.kind === 'mesh' ? acceptPeer(result, tls) : acceptNamed(result, tls)
  } catch (error) {
    throw new Error(`peer not accepted: ${errorMessage(error)}`, { cause: error })
  }
}

function acceptPeer(result: HandshakeResult, { credentials, peerSpiffeIds }: MeshTls): TlsInfo {
  const info = tlsInfo(result, credentials, true)
  const id = info.peerSpiffeId as string
  if (peerSpiffeIds.includes(id)) return info
  throw new Error(`the peer is ${id}, expected ${peerSpiffeIds.join(' or ') || 'nobody'}`)
}

function acceptNamed(result: HandshakeResult, { serverName, subjectAltNames }: OriginatedTls): TlsInfo {
  const { certificate, verifyError, alpn } = result
  if (certificate === undefined) throw new Error('it showed no certificate')
  if (verifyError !== undefined) throw new Error(`its certificate does not verify: ${verifyError}`)
  const names = subjectAltNames.length > 0 ? subjectAltNames : [serverName]
  if (!names.some((name) => isFor(certificate, name))) {
    const own = certificate.subjectAltName ?? 'nobody'
    throw new Error(`its certificate is for ${own}, not for ${names.join(' or ')}`)
  }
  return { peerSpiffeId: undefined, notAfterMs: certificate.validToDate.getTime(), alpn, sni: serverName }
}

/** RFC 9525, section 6: only subject alternative names count, and `*` stands for one whole label. */
function isFor(certificate: X509Certificate, name: string): boolean {
  if (name.includes('://')) return (certificate.subjectAltName ?? '').split(', ').includes(`URI:${name}`)
  if (isIP(name) !== 0) return certificate.checkIP(name) !== undefined
  return certificate.checkHost(name, { subject: 'never', partialWildcards: false }) !== undefined
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

// Who the peer of a finished handshake is: a workload by its SPIFFE ID, a server outside the mesh by its name.
import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import type { TLSSocket } from 'node:tls'

import { splitSpiffeId } from '../../contracts/identity/spiffe-id.ts'
import { readLeafSvid, signingCertificateFault } from '../../contracts/identity/x509-svid.ts'
import { errorMessage } from '../../core/errors.ts'
import type { ClientTls, MeshTls, OriginatedTls, TlsCredentials, TlsInfo } from './connection.ts'
import { leadsTo, rootsOf } from './trust-domain-roots.ts'

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
  /** The intermediates between it and its root, DER. */
  readonly intermediatesDer: readonly Uint8Array[]
  /** Why the certificate does not verify against our roots; undefined when it does. */
  readonly verifyError: string | undefined
  readonly alpn: string | undefined
  readonly sni: string | undefined
}

export function handshakeResult(socket: TLSSocket): HandshakeResult {
  const certificate = socket.getPeerX509Certificate()
  return {
    certificate,
    intermediatesDer: certificate === undefined ? [] : intermediatesOf(certificate),
    verifyError: socket.authorized ? undefined : String(socket.authorizationError),
    alpn: typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : undefined,
    sni: typeof socket.servername === 'string' && socket.servername !== '' ? socket.servername : undefined,
  }
}

/** A certificate with its issuers, as both back ends tell it. */
export interface CertificateWithIssuer {
  readonly raw: Buffer
  /** A root is its own, or has none. */
  readonly issuerCertificate?: CertificateWithIssuer | undefined
}

export function intermediatesOf(leaf: CertificateWithIssuer): Uint8Array[] {
  const found: Uint8Array[] = []
  for (let issuer = leaf.issuerCertificate; issuer !== undefined; issuer = issuer.issuerCertificate) {
    if (issuer.issuerCertificate?.raw.equals(issuer.raw) === true) break
    found.push(issuer.raw)
  }
  return found
}

/** Throws when the certificate is no X.509-SVID of a trust domain that is trusted (X509-SVID, sections 2 to 5). */
export function tlsInfo(
  result: HandshakeResult,
  credentials: TlsCredentials,
  requireCertificate: boolean,
  nowMs: number,
): TlsInfo {
  const { certificate, verifyError, alpn, sni } = result
  const own = ownCertificate(credentials)
  if (certificate === undefined && requireCertificate) throw new Error('it showed no certificate')
  const ownEndMs = own.validToDate.getTime()
  if (certificate === undefined) return { peerSpiffeId: undefined, notAfterMs: ownEndMs, alpn, sni }
  if (verifyError !== undefined) throw new Error(`its certificate does not verify: ${verifyError}`)
  const peerSpiffeId = spiffeIdOf(certificate)
  for (const der of result.intermediatesDer) {
    const fault = signingCertificateFault(der)
    if (fault !== undefined) throw new Error(`its certificate is signed by one that may not: ${fault}`)
  }
  const { trustDomain } = splitSpiffeId(peerSpiffeId)
  const { trustDomain: ownTrustDomain } = splitSpiffeId(spiffeIdOf(own))
  if (credentials.federatedBundles !== undefined) {
    const roots = rootsOf(credentials, ownTrustDomain, trustDomain)
    if (roots === undefined) throw new Error(`${peerSpiffeId} is of a trust domain that is not trusted`)
    if (!leadsTo(roots, certificate, result.intermediatesDer, nowMs)) {
      throw new Error(`${peerSpiffeId} is not signed by its own trust domain`)
    }
  } else if (trustDomain !== ownTrustDomain) {
    throw new Error(`${peerSpiffeId} is of another trust domain`)
  }
  const peerNotBeforeMs = certificate.validFromDate.getTime()
  return { peerSpiffeId, peerNotBeforeMs, notAfterMs: Math.min(ownEndMs, certificate.validToDate.getTime()), alpn, sni }
}

/** Throws when the server is not one of those that `tls` expects. */
export function acceptServer(result: HandshakeResult, tls: ClientTls, nowMs: number): TlsInfo {
  try {
    return tls.kind === 'mesh' ? acceptPeer(result, tls, nowMs) : acceptNamed(result, tls)
  } catch (error) {
    throw new Error(`peer not accepted: ${errorMessage(error)}`, { cause: error })
  }
}

function acceptPeer(result: HandshakeResult, { credentials, peerSpiffeIds }: MeshTls, nowMs: number): TlsInfo {
  const info = tlsInfo(result, credentials, true, nowMs)
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
  const { spiffeId, fault } = readLeafSvid(certificate.raw)
  if (spiffeId === undefined) throw new Error(`its certificate is no X.509-SVID: ${fault}`)
  return spiffeId
}

// The certificates of the user's own certificate authority, and the rules that they, and what is signed below them, must keep.
import { X509Certificate } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'

import { AsnConvert } from '@peculiar/asn1-schema'
import { BasicConstraints, Certificate, id_ce_basicConstraints } from '@peculiar/asn1-x509'

import { certificatesFromPem } from '../../contracts/identity/pem.ts'
import { signingCertificateFault } from '../../contracts/identity/x509-svid.ts'
import { errorMessage } from '../../core/errors.ts'
import type { UpstreamSigner } from './upstream-signer.ts'

/** The one that signs first, the root last. */
export type AuthorityChain = readonly [X509Certificate, ...X509Certificate[]]

/** An authority whose key is gone: what it signed is still in use. */
export function keptUpstream(chain: readonly X509Certificate[]): UpstreamSigner {
  return { root: chain.at(-1) as X509Certificate, issuers: chain.slice(0, -1) }
}

/** Throws when they cannot sign the mesh's intermediate: which one, why, and what to do. */
export function readAuthorityChain(file: string, trustDomain: string, nowMs: number): AuthorityChain {
  const chain = readCertificates(file)
  const fault = chainFault(chain, trustDomain, nowMs)
  if (fault !== undefined) throw new Error(`cannot sign with the certificate authority in ${file}: ${fault}`)
  return chain
}

/** Throws when there is none. */
export function readCertificates(file: string): AuthorityChain {
  try {
    const [first, ...above] = certificatesFromPem(readFileSync(file, 'utf8')).map((der) => new X509Certificate(der))
    if (first === undefined) throw new Error('it holds no certificate in PEM')
    return [first, ...above]
  } catch (error) {
    throw new Error(`cannot read the certificate authority ${file}: ${errorMessage(error)}`, { cause: error })
  }
}

export interface IntermediateRules {
  readonly publicKey: KeyObject
  readonly issuer: X509Certificate
  readonly trustDomain: string
  readonly nowMs: number
}

/** Why the mesh cannot sign with what somebody else made. Any path length will do: it signs leaves. */
export function intermediateFault(certificate: X509Certificate, rules: IntermediateRules): string | undefined {
  const { publicKey, issuer, trustDomain, nowMs } = rules
  if (!certificate.publicKey.equals(publicKey)) return 'it is for another key than that of the request'
  if (!certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey)) {
    return 'it was not issued by the first certificate of --ca-cert: sign with the key of that one, or put its certificate first'
  }
  const fault =
    signingCertificateFault(certificate.raw) ??
    validityFault(certificate, nowMs) ??
    trustDomainFault(certificate, trustDomain)
  if (fault !== undefined) return fault
  const [end, limit] = [certificate.validToDate, issuer.validToDate]
  if (end.getTime() <= limit.getTime()) return undefined
  return `it ends at ${end.toISOString()}, after its issuer, which ends at ${limit.toISOString()}: sign it until HEDDLE_CA_NOT_AFTER`
}

function chainFault(chain: readonly X509Certificate[], trustDomain: string, nowMs: number): string | undefined {
  for (const [i, certificate] of chain.entries()) {
    const which = chain.length === 1 ? 'its certificate' : `certificate ${i + 1} of ${chain.length}`
    const issuer = chain[i + 1]
    const fault =
      signingCertificateFault(certificate.raw) ??
      validityFault(certificate, nowMs) ??
      trustDomainFault(certificate, trustDomain) ??
      pathLengthFault(certificate, i) ??
      issuerFault(certificate, issuer)
    if (fault !== undefined) return `${which}: ${fault}`
  }
  return undefined
}

function validityFault({ validFromDate, validToDate }: X509Certificate, nowMs: number): string | undefined {
  if (nowMs >= validToDate.getTime()) return `it expired at ${validToDate.toISOString()}: renew it`
  if (nowMs >= validFromDate.getTime()) return undefined
  return `it is valid only from ${validFromDate.toISOString()}: compare the clocks, or wait`
}

/** A signing certificate may be without a SPIFFE ID. */
function trustDomainFault({ subjectAltName }: X509Certificate, trustDomain: string): string | undefined {
  const uri = (subjectAltName ?? '').split(', ').find((name) => name.startsWith('URI:'))
  if (uri === undefined || uri === `URI:spiffe://${trustDomain}`) return undefined
  return `it is for ${uri.slice('URI:'.length)}, not for trust domain "${trustDomain}": set trustDomain in MeshConfig, or take another`
}

/** `below`: how many of the chain are below it; the authority's intermediate is one more. */
function pathLengthFault({ raw }: X509Certificate, below: number): string | undefined {
  const extension = AsnConvert.parse(raw, Certificate).tbsCertificate.extensions?.find(
    ({ extnID }) => extnID === id_ce_basicConstraints,
  )
  const limit = extension && AsnConvert.parse(extension.extnValue.buffer, BasicConstraints).pathLenConstraint
  if (limit === undefined || limit > below) return undefined
  return `its path length is ${limit}, but ${below + 1} signing certificates come below it, as the mesh makes one of its own: take ${below + 1} or more`
}

function issuerFault(certificate: X509Certificate, issuer: X509Certificate | undefined): string | undefined {
  if (issuer !== undefined) {
    const issued = certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
    return issued ? undefined : 'the next one did not issue it: put the chain in order, the root last'
  }
  return certificate.verify(certificate.publicKey)
    ? undefined
    : 'it is no root: add the certificates above it, the root last'
}

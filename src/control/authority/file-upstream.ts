// An upstream signer of the user's own: a certificate authority in two files, read again when they change.
import { X509Certificate, createPrivateKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'

import { AsnConvert } from '@peculiar/asn1-schema'
import { BasicConstraints, Certificate, id_ce_basicConstraints } from '@peculiar/asn1-x509'

import { certificatesFromPem } from '../../contracts/identity/pem.ts'
import { signingCertificateFault } from '../../contracts/identity/x509-svid.ts'
import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import { signIntermediateWith } from './upstream-signer.ts'
import type { UpstreamSigner } from './upstream-signer.ts'

export interface UpstreamFiles {
  /** PEM: the certificate that signs first, its root last. */
  readonly certificateFile: string
  /** PEM: the key of the first. */
  readonly keyFile: string
}

/** Throws when the files are no certificate authority for the trust domain: which one, why, and what to do. */
export function fileUpstream(files: UpstreamFiles, trustDomain: string, clock: Clock): UpstreamSigner {
  const { certificateFile, keyFile } = files
  const chain = readCertificates(certificateFile)
  const privateKey = readKey(keyFile)
  const [certificate] = chain as [X509Certificate]
  const fault = chainFault(chain, trustDomain, clock.nowMs())
  if (fault !== undefined) throw new Error(`cannot sign with the certificate authority in ${certificateFile}: ${fault}`)
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new Error(
      `the key in ${keyFile} is not that of the first certificate in ${certificateFile}: give the key of that certificate, or put its certificate first`,
    )
  }
  return {
    ...keptUpstream(chain),
    signIntermediate: (publicKey, notAfterMs) =>
      signIntermediateWith({ certificate, privateKey }, { publicKey, notAfterMs, trustDomain }, clock.nowMs()),
  }
}

/** An authority whose key is gone: what it signed is still in use. */
export function keptUpstream(chain: readonly X509Certificate[]): UpstreamSigner {
  return {
    root: chain.at(-1) as X509Certificate,
    issuers: chain.slice(0, -1),
    signIntermediate() {
      throw new Error('the certificate authority that was replaced cannot sign any more: its key is not here')
    },
  }
}

/** Throws when there is none. */
export function readCertificates(file: string): X509Certificate[] {
  try {
    const chain = certificatesFromPem(readFileSync(file, 'utf8')).map((der) => new X509Certificate(der))
    if (chain.length === 0) throw new Error('it holds no certificate in PEM')
    return chain
  } catch (error) {
    throw new Error(`cannot read the certificate authority ${file}: ${errorMessage(error)}`, { cause: error })
  }
}

function readKey(file: string): KeyObject {
  let key: KeyObject
  try {
    key = createPrivateKey(readFileSync(file, 'utf8'))
  } catch (error) {
    // what OpenSSL says of a key may quote it
    const why = error instanceof Error && 'syscall' in error ? error.message : 'it holds no private key in PEM'
    throw new Error(`cannot read the key of the certificate authority ${file}: ${why}`, { cause: error })
  }
  if (key.asymmetricKeyType === 'ec' || key.asymmetricKeyType === 'rsa') return key
  throw new Error(`the key in ${file} is ${key.asymmetricKeyType}: take one of ECDSA or RSA`)
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

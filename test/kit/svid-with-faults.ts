// Certificates of the project's own builder with one thing changed, signed again: each breaks exactly one rule of the X.509-SVID standard.
import { createPublicKey, generateKeyPairSync, sign, X509Certificate } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import { Certificate, Extension, GeneralName, SubjectAlternativeName, type TBSCertificate } from '@peculiar/asn1-x509'

import { certificatesToPem } from '../../src/contracts/identity/pem.ts'
import { buildCertificate, subjectOf } from '../../src/control/authority/certificate-builder.ts'
import type { CertificateContent } from '../../src/control/authority/certificate-builder.ts'
import type { TlsCredentials } from '../../src/proxy/io/connection.ts'

export type Change = (content: TBSCertificate) => void

export interface SvidShape {
  readonly uri?: string
  readonly notBeforeMs?: number
  readonly notAfterMs?: number
  readonly leaf?: Change
  readonly intermediate?: Change
  readonly intermediateNotAfterMs?: number
}

interface Signer {
  readonly privateKey: KeyObject
  readonly der: Buffer
}

const hourMs = 3_600_000

/** An authority that signs what nobody should. */
export class CarelessAuthority {
  readonly #root: Signer
  readonly rootsPem: string

  constructor() {
    this.#root = signer('root', undefined, undefined, Date.now() + hourMs)
    this.rootsPem = certificatesToPem([this.#root.der])
  }

  issue(shape: SvidShape = {}): TlsCredentials {
    const intermediate = signer('intermediate', this.#root, shape.intermediate, shape.intermediateNotAfterMs)
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const leaf = build(
      {
        publicKey,
        notBeforeMs: shape.notBeforeMs ?? Date.now() - 60_000,
        notAfterMs: shape.notAfterMs ?? Date.now() + hourMs,
        uri: shape.uri ?? 'spiffe://mesh.local/ns/default/sa/reviews',
        kind: { role: 'leaf' },
      },
      intermediate,
      shape.leaf,
    )
    return {
      certificateChainPem: certificatesToPem([leaf, intermediate.der]),
      privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      rootsPem: this.rootsPem,
    }
  }
}

/** Takes the extension out; does nothing when it is not there. */
export function without(oid: string): Change {
  return (content) => {
    const kept = [...(content.extensions ?? [])].filter(({ extnID }) => extnID !== oid)
    content.extensions?.splice(0, Infinity, ...kept)
  }
}

/** Puts the extension in the place of the one that is there. `value` is what it holds. */
export function withExtension(extnID: string, critical: boolean, value: object): Change {
  return (content) => {
    without(extnID)(content)
    content.extensions?.push(
      new Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) }),
    )
  }
}

export function withNames(...names: readonly ({ readonly uri: string } | { readonly dns: string })[]): Change {
  const general = names.map((name) =>
    'uri' in name ? new GeneralName({ uniformResourceIdentifier: name.uri }) : new GeneralName({ dNSName: name.dns }),
  )
  return withExtension('2.5.29.17', true, new SubjectAlternativeName(general))
}

function signer(
  commonName: string,
  issuer: Signer | undefined,
  change: Change | undefined,
  notAfterMs = Date.now() + hourMs,
): Signer {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const content: CertificateContent = {
    publicKey,
    notBeforeMs: Date.now() - 60_000,
    notAfterMs,
    uri: 'spiffe://mesh.local',
    kind: { role: 'signer', commonName, trustDomain: 'mesh.local', pathLength: issuer === undefined ? 1 : 0 },
  }
  return { privateKey, der: build(content, issuer ?? { privateKey, der: undefined }, change) }
}

function build(
  content: CertificateContent,
  issuer: { readonly privateKey: KeyObject; readonly der: Buffer | undefined },
  change: Change | undefined,
): Buffer {
  const good = buildCertificate(content, {
    privateKey: issuer.privateKey,
    publicKey: createPublicKey(issuer.privateKey),
    subjectDer: issuer.der && subjectOf(issuer.der),
  })
  if (change === undefined) return good
  return changedCertificate(new X509Certificate(good), issuer.privateKey, change).raw
}

/** The certificate with the change, signed again by its issuer. */
export function changedCertificate(good: X509Certificate, issuerKey: KeyObject, change: Change): X509Certificate {
  const certificate = AsnConvert.parse(good.raw, Certificate)
  change(certificate.tbsCertificate)
  const signed = Buffer.from(AsnConvert.serialize(certificate.tbsCertificate))
  certificate.signatureValue = new Uint8Array(sign('sha256', signed, issuerKey)).buffer
  // @peculiar keeps the bytes that were parsed
  delete (certificate as { tbsCertificateRaw?: unknown }).tbsCertificateRaw
  const changed = new X509Certificate(Buffer.from(AsnConvert.serialize(certificate)))
  if (!changed.verify(createPublicKey(issuerKey))) throw new Error('signed wrongly')
  return changed
}

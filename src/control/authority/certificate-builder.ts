// Writes X.509 certificates in the three shapes of the mesh: root, intermediate, X.509-SVID (RFC 5280, X509-SVID standard).
import { createHash, randomBytes, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Time,
  Validity,
  Version,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_kp_clientAuth,
  id_kp_serverAuth,
} from '@peculiar/asn1-x509'

export interface CertificateContent {
  readonly publicKey: KeyObject
  /** Whole seconds reach the certificate. Milliseconds since the Unix epoch. */
  readonly notBeforeMs: number
  readonly notAfterMs: number
  /** The one URI name: "spiffe://…". */
  readonly uri: string
  readonly kind:
    | { readonly role: 'leaf' }
    /** `pathLength`: how many further signing certificates may follow below. */
    | {
        readonly role: 'signer'
        readonly commonName: string
        readonly trustDomain: string
        readonly pathLength: number
      }
}

export interface Issuer {
  /** ECDSA or RSA. */
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  /** Subject of the issuer's certificate, DER; undefined: the certificate signs itself. */
  readonly subjectDer: Uint8Array | undefined
}

const ecdsaWithSha256 = '1.2.840.10045.4.3.2'
const rsaWithSha256 = '1.2.840.113549.1.1.11'
const commonNameType = '2.5.4.3'
const organizationType = '2.5.4.10'

/** DER of the certificate, signed by `issuer`. */
export function buildCertificate(content: CertificateContent, issuer: Issuer): Buffer {
  const subject =
    content.kind.role === 'signer' ? signerName(content.kind.commonName, content.kind.trustDomain) : new Name()
  const signatureAlgorithm =
    issuer.privateKey.asymmetricKeyType === 'rsa'
      ? // its parameters are NULL (RFC 4055, section 5)
        new AlgorithmIdentifier({ algorithm: rsaWithSha256, parameters: null })
      : new AlgorithmIdentifier({ algorithm: ecdsaWithSha256 })
  const validity = new Validity()
  validity.notBefore = new Time(content.notBeforeMs)
  validity.notAfter = new Time(content.notAfterMs)
  const tbs = new TBSCertificate({
    version: Version.v3,
    serialNumber: newSerialNumber(),
    signature: signatureAlgorithm,
    issuer: issuer.subjectDer === undefined ? subject : AsnConvert.parse(issuer.subjectDer, Name),
    validity,
    subject,
    subjectPublicKeyInfo: publicKeyInfo(content.publicKey),
    extensions: new Extensions(extensionsOf(content, issuer)),
  })
  const signed = Buffer.from(AsnConvert.serialize(tbs))
  const certificate = new Certificate({
    tbsCertificate: tbs,
    signatureAlgorithm,
    signatureValue: arrayBuffer(sign('sha256', signed, issuer.privateKey)),
  })
  return Buffer.from(AsnConvert.serialize(certificate))
}

/** Subject of a certificate, DER, as `Issuer.subjectDer` wants it. */
export function subjectOf(certificateDer: Uint8Array): Uint8Array {
  return new Uint8Array(AsnConvert.serialize(AsnConvert.parse(certificateDer, Certificate).tbsCertificate.subject))
}

function extensionsOf(content: CertificateContent, issuer: Issuer): Extension[] {
  const names = new SubjectAlternativeName([new GeneralName({ uniformResourceIdentifier: content.uri })])
  const identifiers = [
    extension(id_ce_subjectKeyIdentifier, false, new SubjectKeyIdentifier(keyIdentifier(content.publicKey))),
    extension(
      id_ce_authorityKeyIdentifier,
      false,
      new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(keyIdentifier(issuer.publicKey)) }),
    ),
  ]
  if (content.kind.role === 'signer') {
    const { pathLength } = content.kind
    return [
      extension(id_ce_basicConstraints, true, new BasicConstraints({ cA: true, pathLenConstraint: pathLength })),
      extension(id_ce_keyUsage, true, new KeyUsage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign)),
      extension(id_ce_subjectAltName, false, names),
      ...identifiers,
    ]
  }
  return [
    extension(id_ce_basicConstraints, true, new BasicConstraints({ cA: false })),
    extension(id_ce_keyUsage, true, new KeyUsage(KeyUsageFlags.digitalSignature)),
    extension(id_ce_extKeyUsage, false, new ExtendedKeyUsage([id_kp_serverAuth, id_kp_clientAuth])),
    // critical because the subject is empty (RFC 5280, section 4.2.1.6)
    extension(id_ce_subjectAltName, true, names),
    ...identifiers,
  ]
}

export function extension(extnID: string, critical: boolean, value: object): Extension {
  return new Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) })
}

export function signerName(commonName: string, organization: string): Name {
  return new Name([namePart(organizationType, organization), namePart(commonNameType, commonName)])
}

function namePart(type: string, utf8String: string): RelativeDistinguishedName {
  return new RelativeDistinguishedName([new AttributeTypeAndValue({ type, value: new AttributeValue({ utf8String }) })])
}

export function publicKeyInfo(key: KeyObject): SubjectPublicKeyInfo {
  return AsnConvert.parse(key.export({ type: 'spki', format: 'der' }), SubjectPublicKeyInfo)
}

/** RFC 5280, section 4.2.1.2, method 1: SHA-1 of the key's bits. It names the key and protects nothing. */
function keyIdentifier(key: KeyObject): ArrayBuffer {
  return arrayBuffer(
    createHash('sha1')
      .update(new Uint8Array(publicKeyInfo(key).subjectPublicKey))
      .digest(),
  )
}

/** 128 bits, positive, never zero in front, so that every encoder writes the same 16 bytes. */
function newSerialNumber(): ArrayBuffer {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x40
  return arrayBuffer(bytes)
}

export function arrayBuffer(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}

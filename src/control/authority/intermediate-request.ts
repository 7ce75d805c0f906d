// What a certificate authority that is not at hand is asked: a PKCS#10 request for the intermediate (RFC 2986), with all that it should get.
import { sign } from 'node:crypto'

import { Attributes, CertificationRequest, CertificationRequestInfo } from '@peculiar/asn1-csr'
import { AsnConvert } from '@peculiar/asn1-schema'
import {
  AlgorithmIdentifier,
  Attribute,
  BasicConstraints,
  Extensions,
  GeneralName,
  KeyUsage,
  KeyUsageFlags,
  SubjectAlternativeName,
  id_ce_basicConstraints,
  id_ce_keyUsage,
  id_ce_subjectAltName,
} from '@peculiar/asn1-x509'

import { arrayBuffer, extension, publicKeyInfo, signerName } from './certificate-builder.ts'
import type { KeyPair } from './key-pair.ts'

const extensionRequest = '1.2.840.113549.1.9.14'
const ecdsaWithSha256 = '1.2.840.10045.4.3.2'

/** PEM. */
export function intermediateRequest({ publicKey, privateKey }: KeyPair, trustDomain: string): string {
  const names = new SubjectAlternativeName([new GeneralName({ uniformResourceIdentifier: `spiffe://${trustDomain}` })])
  const extensions = new Extensions([
    extension(id_ce_basicConstraints, true, new BasicConstraints({ cA: true, pathLenConstraint: 0 })),
    extension(id_ce_keyUsage, true, new KeyUsage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign)),
    extension(id_ce_subjectAltName, false, names),
  ])
  const info = new CertificationRequestInfo({
    subject: signerName('Heddle intermediate', trustDomain),
    subjectPKInfo: publicKeyInfo(publicKey),
    attributes: new Attributes([new Attribute({ type: extensionRequest, values: [AsnConvert.serialize(extensions)] })]),
  })
  const request = new CertificationRequest({
    certificationRequestInfo: info,
    signatureAlgorithm: new AlgorithmIdentifier({ algorithm: ecdsaWithSha256 }),
    signature: arrayBuffer(sign('sha256', Buffer.from(AsnConvert.serialize(info)), privateKey)),
  })
  const base64 = Buffer.from(AsnConvert.serialize(request)).toString('base64')
  const lines = base64.match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join('\n')}\n-----END CERTIFICATE REQUEST-----\n`
}

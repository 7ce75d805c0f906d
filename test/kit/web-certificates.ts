// Self-signed certificates for DNS names, as gateways and servers outside the mesh show them.
import { generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto'

import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import {
  AlgorithmIdentifier,
  BasicConstraints,
  Certificate,
  Extension,
  Extensions,
  GeneralName,
  id_ce_basicConstraints,
  id_ce_subjectAltName,
  Name,
  SubjectAlternativeName,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Time,
  Validity,
  Version,
} from '@peculiar/asn1-x509'

import type { SecretConfig } from '../../src/proxy/runtime/runtime-config.ts'

/** For an hour. Its certificate is its own root. */
export function webCertificate(...dnsNames: readonly string[]): Extract<SecretConfig, { kind: 'certificate' }> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const algorithm = new AlgorithmIdentifier({ algorithm: '1.2.840.10045.4.3.2' })
  const validity = new Validity()
  validity.notBefore = new Time(Date.now() - 60_000)
  validity.notAfter = new Time(Date.now() + 3_600_000)
  const tbs = new TBSCertificate({
    version: Version.v3,
    serialNumber: new Uint8Array([1, ...randomBytes(8)]).buffer,
    signature: algorithm,
    issuer: new Name(),
    validity,
    subject: new Name(),
    subjectPublicKeyInfo: AsnConvert.parse(publicKey.export({ type: 'spki', format: 'der' }), SubjectPublicKeyInfo),
    extensions: new Extensions([
      extension(id_ce_basicConstraints, new BasicConstraints({ cA: true })),
      extension(
        id_ce_subjectAltName,
        new SubjectAlternativeName(dnsNames.map((name) => new GeneralName({ dNSName: name }))),
      ),
    ]),
  })
  const signature = sign('sha256', Buffer.from(AsnConvert.serialize(tbs)), privateKey)
  const certificate = new Certificate({
    tbsCertificate: tbs,
    signatureAlgorithm: algorithm,
    signatureValue: new Uint8Array(signature).buffer,
  })
  return {
    kind: 'certificate',
    certificateChainPem: new X509Certificate(Buffer.from(AsnConvert.serialize(certificate))).toString(),
    privateKeyPem: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
  }
}

function extension(extnID: string, content: object): Extension {
  return new Extension({ extnID, critical: true, extnValue: new OctetString(AsnConvert.serialize(content)) })
}

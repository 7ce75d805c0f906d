// A certificate of a server outside the mesh, its own root, for tests that speak TLS by name.
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'

import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  Certificate,
  Extension,
  Extensions,
  GeneralName,
  id_ce_subjectAltName,
  Name,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Time,
  Validity,
  Version,
} from '@peculiar/asn1-x509'

import type { TlsCredentials } from '../../src/proxy/io/connection.ts'

/** `rootsPem` is empty: nobody shows a certificate to such a server. To trust it, take its chain for the root. */
export function serverCertificate(dnsNames: readonly string[]): TlsCredentials {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const commonName = new AttributeTypeAndValue({
    type: '2.5.4.3',
    value: new AttributeValue({ utf8String: 'not a name to go by' }),
  })
  const name = new Name([new RelativeDistinguishedName([commonName])])
  const names = new SubjectAlternativeName(dnsNames.map((dNSName) => new GeneralName({ dNSName })))
  const validity = new Validity()
  validity.notBefore = new Time(Date.now() - 60_000)
  validity.notAfter = new Time(Date.now() + 3_600_000)
  const signatureAlgorithm = new AlgorithmIdentifier({ algorithm: '1.2.840.10045.4.3.2' })
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: Uint8Array.from([1, ...randomBytes(8)]).buffer,
    signature: signatureAlgorithm,
    issuer: name,
    subject: name,
    validity,
    subjectPublicKeyInfo: AsnConvert.parse(publicKey.export({ type: 'spki', format: 'der' }), SubjectPublicKeyInfo),
    extensions: new Extensions([
      new Extension({
        extnID: id_ce_subjectAltName,
        critical: false,
        extnValue: new OctetString(AsnConvert.serialize(names)),
      }),
    ]),
  })
  const signatureValue = Uint8Array.from(sign('sha256', Buffer.from(AsnConvert.serialize(tbsCertificate)), privateKey))
  const certificate = new Certificate({ tbsCertificate, signatureAlgorithm, signatureValue: signatureValue.buffer })
  const der = Buffer.from(AsnConvert.serialize(certificate))
  return {
    certificateChainPem: `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    rootsPem: '',
  }
}

// Certificate requests of every shape, good and bad, by an encoder that is not the proxy's.
import { generateKeyPairSync, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

import { Attributes, CertificationRequest, CertificationRequestInfo } from '@peculiar/asn1-csr'
import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import {
  AlgorithmIdentifier,
  Attribute,
  Extension,
  Extensions,
  GeneralName,
  SubjectAlternativeName,
  SubjectPublicKeyInfo,
} from '@peculiar/asn1-x509'

export interface RequestShape {
  readonly uris: readonly string[]
  readonly dnsNames?: readonly string[]
  readonly repeatExtension?: boolean
  readonly key?: { readonly publicKey: KeyObject; readonly privateKey: KeyObject }
  /** Signs instead of the key itself. */
  readonly signer?: KeyObject
}

export function createRequest(shape: RequestShape): Uint8Array {
  const key = shape.key ?? generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const names = new SubjectAlternativeName([
    ...(shape.dnsNames ?? []).map((dNSName) => new GeneralName({ dNSName })),
    ...shape.uris.map((uniformResourceIdentifier) => new GeneralName({ uniformResourceIdentifier })),
  ])
  const extension = new Extension({
    extnID: '2.5.29.17',
    critical: true,
    extnValue: new OctetString(AsnConvert.serialize(names)),
  })
  const extensions = new Extensions(shape.repeatExtension === true ? [extension, extension] : [extension])
  const info = new CertificationRequestInfo({
    subjectPKInfo: AsnConvert.parse(key.publicKey.export({ type: 'spki', format: 'der' }), SubjectPublicKeyInfo),
    attributes: new Attributes(
      [...shape.uris, ...(shape.dnsNames ?? [])].length === 0
        ? []
        : [new Attribute({ type: '1.2.840.113549.1.9.14', values: [AsnConvert.serialize(extensions)] })],
    ),
  })
  const signature = sign('sha256', Buffer.from(AsnConvert.serialize(info)), shape.signer ?? key.privateKey)
  const request = new CertificationRequest({
    certificationRequestInfo: info,
    signatureAlgorithm: new AlgorithmIdentifier({
      algorithm: key.publicKey.asymmetricKeyType === 'rsa' ? '1.2.840.113549.1.1.11' : '1.2.840.10045.4.3.2',
    }),
    signature: new Uint8Array(signature).buffer,
  })
  return new Uint8Array(AsnConvert.serialize(request))
}

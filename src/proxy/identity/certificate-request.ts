// A fresh key and the PKCS#10 request for its certificate (RFC 2986). Encoded by hand: the shape is fixed, and an ASN.1 library costs 18 MB.
import { generateKeyPairSync, sign } from 'node:crypto'

export interface CertificateRequest {
  readonly privateKeyPem: string
  readonly csrDer: Uint8Array
}

/** A new P-256 key, and a request for one name: the SPIFFE ID. */
export function createCertificateRequest(spiffeId: string): CertificateRequest {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const subjectAltName = sequence(
    oid(subjectAltNameOid),
    der(tags.boolean, Buffer.from([0xff])), // critical, as the subject is empty
    der(tags.octetString, sequence(der(tags.uri, Buffer.from(spiffeId, 'ascii')))),
  )
  const info = sequence(
    der(tags.integer, Buffer.from([0])),
    sequence(),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(tags.attributes, sequence(oid(extensionRequestOid), der(tags.set, sequence(subjectAltName)))),
  )
  const signature = sign('sha256', info, privateKey)
  return {
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    csrDer: sequence(info, sequence(oid(ecdsaWithSha256Oid)), der(tags.bitString, Buffer.from([0]), signature)),
  }
}

const subjectAltNameOid = '551d11' // 2.5.29.17
const extensionRequestOid = '2a864886f70d01090e' // 1.2.840.113549.1.9.14
const ecdsaWithSha256Oid = '2a8648ce3d040302' // 1.2.840.10045.4.3.2

const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  sequence: 0x30,
  set: 0x31,
  uri: 0x86, // GeneralName [6]
  attributes: 0xa0, // CertificationRequestInfo [0]
} as const

function sequence(...content: readonly Uint8Array[]): Buffer {
  return der(tags.sequence, ...content)
}

function oid(hex: string): Buffer {
  return der(tags.oid, Buffer.from(hex, 'hex'))
}

function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.concat(content)
  return Buffer.concat([Buffer.from([tag, ...lengthOf(bytes.length)]), bytes])
}

/** X.690, section 8.1.3, in the shortest form. */
function lengthOf(bytes: number): number[] {
  if (bytes < 0x80) return [bytes]
  if (bytes < 0x100) return [0x81, bytes]
  return [0x82, bytes >> 8, bytes & 0xff]
}

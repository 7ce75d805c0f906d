// Reads a PKCS#10 request (RFC 2986) and believes nothing in it but the key it proves to hold and the identity it asks for.
import { createPublicKey, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

import { CertificationRequest } from '@peculiar/asn1-csr'
import { AsnConvert } from '@peculiar/asn1-schema'
import { Extensions, SubjectAlternativeName, id_ce_subjectAltName } from '@peculiar/asn1-x509'

export interface SigningRequest {
  readonly publicKey: KeyObject
  readonly spiffeId: string
}

/** Why a certificate was not signed. `reason` tells whether the request is malformed or asks for what it may not have. */
export class SigningRefused extends Error {
  readonly reason: 'invalid' | 'denied'

  constructor(reason: 'invalid' | 'denied', message: string) {
    super(message)
    this.name = 'SigningRefused'
    this.reason = reason
  }
}

const extensionRequest = '1.2.840.113549.1.9.14'
const hashBySignature: Readonly<Record<string, string>> = {
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
}
const maxBytes = 16 * 1024

/** Throws SigningRefused('invalid') for anything but a self-signed request of an accepted key with exactly one name, a URI. */
export function parseSigningRequest(csrDer: Uint8Array): SigningRequest {
  const request = decode(csrDer)
  const publicKey = importKey(request)
  const hash = hashBySignature[request.signatureAlgorithm.algorithm]
  const signed = request.certificationRequestInfoRaw
  if (hash === undefined || signed === undefined) throw invalid('its signature must be ECDSA or RSA with SHA-2')
  if (!signatureHolds(hash, new Uint8Array(signed), publicKey, new Uint8Array(request.signature))) {
    throw invalid('its signature does not fit its key')
  }
  return { publicKey, spiffeId: onlyName(request) }
}

function decode(csrDer: Uint8Array): CertificationRequest {
  if (csrDer.length === 0 || csrDer.length > maxBytes) throw invalid(`it must have between 1 and ${maxBytes} bytes`)
  try {
    return AsnConvert.parse(csrDer, CertificationRequest)
  } catch {
    throw invalid('it is not PKCS#10 in DER')
  }
}

function importKey(request: CertificationRequest): KeyObject {
  let key: KeyObject
  try {
    const spki = Buffer.from(AsnConvert.serialize(request.certificationRequestInfo.subjectPKInfo))
    key = createPublicKey({ key: spki, format: 'der', type: 'spki' })
  } catch {
    throw invalid('its public key cannot be read')
  }
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {}
  const accepted =
    (key.asymmetricKeyType === 'ec' && (namedCurve === 'prime256v1' || namedCurve === 'secp384r1')) ||
    (key.asymmetricKeyType === 'rsa' && modulusLength !== undefined && modulusLength >= 2048 && modulusLength <= 8192)
  if (!accepted) throw invalid('its key must be ECDSA P-256 or P-384, or RSA of 2048 to 8192 bits')
  return key
}

function signatureHolds(hash: string, signed: Uint8Array, key: KeyObject, signature: Uint8Array): boolean {
  try {
    return verify(hash, signed, key, signature)
  } catch {
    return false
  }
}

function onlyName(request: CertificationRequest): string {
  const requested = (request.certificationRequestInfo.attributes ?? []).filter(({ type }) => type === extensionRequest)
  let names: SubjectAlternativeName[]
  try {
    names = requested
      .flatMap(({ values }) => values)
      .flatMap((value) => [...AsnConvert.parse(value, Extensions)])
      .filter(({ extnID }) => extnID === id_ce_subjectAltName)
      .map(({ extnValue }) => AsnConvert.parse(extnValue.buffer, SubjectAlternativeName))
  } catch {
    throw invalid('its requested extensions cannot be read')
  }
  const [name, ...others] = names.flatMap((list) => [...list])
  const uri = name?.uniformResourceIdentifier
  if (uri === undefined || others.length > 0) {
    throw invalid('it must ask for exactly one subject alternative name, a URI: the SPIFFE ID')
  }
  return uri
}

function invalid(why: string): SigningRefused {
  return new SigningRefused('invalid', `the certificate request was refused: ${why}`)
}

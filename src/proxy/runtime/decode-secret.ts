// Secret (SDS) → SecretConfig. Checked here, so that a bad one is refused while the last good one stays.
import { X509Certificate, createPrivateKey } from 'node:crypto'

import type { DataSource } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import { SecretSchema } from '../../contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import { parseResource } from './parse-resource.ts'
import type { SecretConfig } from './runtime-config.ts'

/** Throws an Error that says what cannot be used, and nothing of what the secret holds. */
export function decodeSecretResource(body: Uint8Array): SecretConfig {
  const { type } = parseResource(SecretSchema, body)
  if (type.case === 'validationContext') {
    const rootsPem = inlineText(type.value.trustedCa, 'trusted_ca')
    certificate(rootsPem, 'trusted_ca')
    return { kind: 'roots', rootsPem }
  }
  if (type.case !== 'tlsCertificate') throw new Error('expected tls_certificate or validation_context')
  const certificateChainPem = inlineText(type.value.certificateChain, 'certificate_chain')
  const privateKeyPem = inlineText(type.value.privateKey, 'private_key')
  const leaf = certificate(certificateChainPem, 'certificate_chain')
  let matches
  try {
    matches = leaf.checkPrivateKey(createPrivateKey(privateKeyPem))
  } catch {
    throw new Error('private_key: no private key in PEM')
  }
  if (!matches) throw new Error('private_key: it is not that of the certificate')
  return { kind: 'certificate', certificateChainPem, privateKeyPem }
}

function inlineText(source: DataSource | undefined, place: string): string {
  const specifier = source?.specifier
  if (specifier?.case === 'inlineString') return specifier.value
  if (specifier?.case === 'inlineBytes') return Buffer.from(specifier.value).toString('utf8')
  throw new Error(`${place}: expected inline text`)
}

function certificate(pem: string, place: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch {
    throw new Error(`${place}: no certificate in PEM`)
  }
}

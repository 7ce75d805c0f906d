import { create, toBinary } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'

import { payCertificate, shopCertificate, shopRoots } from '../../../test/kit/test-certificates.ts'
import { SecretSchema } from '../../contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import { MeshSecret } from '../../control/snapshot/secrets.ts'
import type { SecretContent } from '../../control/snapshot/secrets.ts'
import { buildSecret } from '../../control/translate/build-secret.ts'
import { decodeSecretResource } from './decode-secret.ts'

function body(content: SecretContent): Uint8Array {
  return toBinary(SecretSchema, create(SecretSchema, buildSecret('s', new MeshSecret(content))))
}

describe('secrets', () => {
  it.each([shopCertificate, shopRoots])('comes out as it went in: %#', (content) => {
    expect(decodeSecretResource(body(content))).toEqual(content)
  })

  it.each([
    [
      { ...shopCertificate, privateKeyPem: payCertificate.privateKeyPem },
      'private_key: it is not that of the certificate',
    ],
    [{ ...shopCertificate, privateKeyPem: 'top secret' }, 'private_key: no private key in PEM'],
    [{ ...shopCertificate, certificateChainPem: 'x' }, 'certificate_chain: no certificate in PEM'],
    [{ kind: 'roots', rootsPem: '' }, 'trusted_ca: no certificate in PEM'],
  ] as const)('refuses what nobody could serve with, without a word of what it holds: %#', (content, reason) => {
    expect(() => decodeSecretResource(body(content))).toThrow(new Error(reason))
  })

  it('refuses what is no certificate at all', () => {
    expect(() => decodeSecretResource(new Uint8Array(0))).toThrow('expected tls_certificate or validation_context')
  })
})

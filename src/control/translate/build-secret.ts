// MeshSecret → Envoy secret (SDS).
import type { MessageInitShape } from '@bufbuild/protobuf'

import type { SecretSchema } from '../../contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import type { MeshSecret } from '../snapshot/secrets.ts'

export function buildSecret(name: string, secret: MeshSecret): MessageInitShape<typeof SecretSchema> {
  const content = secret.reveal()
  if (content.kind === 'roots')
    return { name, type: { case: 'validationContext', value: { trustedCa: inline(content.rootsPem) } } }
  return buildCertificateSecret(name, content)
}

export function buildCertificateSecret(
  name: string,
  { certificateChainPem, privateKeyPem }: { readonly certificateChainPem: string; readonly privateKeyPem: string },
): { readonly name: string } & MessageInitShape<typeof SecretSchema> {
  return {
    name,
    type: {
      case: 'tlsCertificate',
      value: { certificateChain: inline(certificateChainPem), privateKey: inline(privateKeyPem) },
    },
  }
}

function inline(value: string) {
  return { specifier: { case: 'inlineString' as const, value } }
}

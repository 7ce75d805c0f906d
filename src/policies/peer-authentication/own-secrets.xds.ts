// The two secrets of a TLS context, which the proxy provides itself: its SVID and the trust bundle. Referred to by name, as SDS does.
import type { MessageInitShape } from '@bufbuild/protobuf'

import { ApiVersion } from '../../contracts/xds/gen/envoy/config/core/v3/config_source_pb.ts'
import type { ConfigSourceSchema } from '../../contracts/xds/gen/envoy/config/core/v3/config_source_pb.ts'
import type { CertificateValidationContextSchema } from '../../contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts'
import type { SdsSecretConfigSchema } from '../../contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts'
import type {
  CommonTlsContext,
  CommonTlsContextSchema,
} from '../../contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts'
import { ownCertificateSecret, trustBundleSecret } from '../../contracts/xds/names.ts'

/** "By the stream that this message came on." */
export const adsConfigSource: MessageInitShape<typeof ConfigSourceSchema> = {
  configSourceSpecifier: { case: 'ads', value: {} },
  resourceApiVersion: ApiVersion.V3,
}

/** Name of the transport socket in Envoy. */
export const tlsTransportSocket = 'envoy.transport_sockets.tls'

/** What proxies of the mesh speak with each other, most wanted first. */
export const meshAlpn: readonly string[] = ['h2', 'http/1.1']

/** Where requests in HTTP/1.1 are not to be turned into HTTP/2. */
export const plainAlpn: readonly string[] = ['http/1.1']

type CommonTlsInit = MessageInitShape<typeof CommonTlsContextSchema>

const trustBundle: MessageInitShape<typeof SdsSecretConfigSchema> = {
  name: trustBundleSecret,
  sdsConfig: adsConfigSource,
}

/** `peer` is what else the peer's certificate must satisfy. */
export function encodeOwnSecrets(
  peer?: MessageInitShape<typeof CertificateValidationContextSchema>,
  alpnProtocols: readonly string[] = meshAlpn,
): CommonTlsInit {
  return {
    tlsCertificateSdsSecretConfigs: [{ name: ownCertificateSecret, sdsConfig: adsConfigSource }],
    validationContextType:
      peer === undefined
        ? { case: 'validationContextSdsSecretConfig', value: trustBundle }
        : {
            case: 'combinedValidationContext',
            value: { defaultValidationContext: peer, validationContextSdsSecretConfig: trustBundle },
          },
    alpnProtocols: [...alpnProtocols],
  }
}

/** Throws an Error that names `place` when other certificates or other roots are asked for: the proxy has only its own. */
export function checkOwnSecrets(context: CommonTlsContext | undefined, place: string): void {
  const certificates = context?.tlsCertificateSdsSecretConfigs.map(({ name }) => name) ?? []
  const inline = (context?.tlsCertificates.length ?? 0) > 0
  if (inline || certificates.length !== 1 || certificates[0] !== ownCertificateSecret) {
    throw new Error(`${place}: the certificate must be the SDS secret "${ownCertificateSecret}"`)
  }
  const validation = context?.validationContextType
  const bundle =
    validation?.case === 'validationContextSdsSecretConfig'
      ? validation.value.name
      : validation?.case === 'combinedValidationContext'
        ? validation.value.validationContextSdsSecretConfig?.name
        : undefined
  if (bundle !== trustBundleSecret) {
    throw new Error(`${place}: the peer must be verified with the SDS secret "${trustBundleSecret}"`)
  }
}

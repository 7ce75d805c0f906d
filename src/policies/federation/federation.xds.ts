// The trust bundles of several trust domains → Envoy's validator for SPIFFE, which takes each for its own domain alone
// (envoy.tls.cert_validator.spiffe). Encoded only: Heddle's proxies get bundles with their certificates.
import type { MessageInitShape } from '@bufbuild/protobuf'

import type { TrustBundle } from '../../contracts/identity/svid.ts'
import type { CertificateValidationContextSchema } from '../../contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts'
import { SPIFFECertValidatorConfigSchema } from '../../contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb.ts'
import { typedConfig } from '../typed-config.xds.ts'

/** The validator takes the place of `trusted_ca`, which stays for those who do not know it: they trust our own domain alone. */
export function encodeTrustBundles(
  own: TrustBundle,
  federated: readonly TrustBundle[],
): MessageInitShape<typeof CertificateValidationContextSchema> {
  const trustedCa = inline(own.rootsPem)
  if (federated.length === 0) return { trustedCa }
  const trustDomains = [own, ...federated].map(({ trustDomain, rootsPem }) => ({
    name: trustDomain,
    trustBundle: inline(rootsPem),
  }))
  return {
    trustedCa,
    customValidatorConfig: {
      name: 'envoy.tls.cert_validator.spiffe',
      typedConfig: typedConfig(SPIFFECertValidatorConfigSchema, { trustDomains }),
    },
  }
}

function inline(value: string) {
  return { specifier: { case: 'inlineString' as const, value } }
}

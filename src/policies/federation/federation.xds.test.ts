import { describe, expect, it } from 'vitest'

import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { CertificateValidationContextSchema } from '../../contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts'
import { SPIFFECertValidatorConfigSchema } from '../../contracts/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb.ts'
import { readTypedConfig } from '../typed-config.xds.ts'
import { encodeTrustBundles } from './federation.xds.ts'

const own = { trustDomain: 'mesh.local', rootsPem: 'own' }

describe('trust bundles over xDS', () => {
  it('are the roots alone while there is one domain', () => {
    const context = overTheWire(CertificateValidationContextSchema, encodeTrustBundles(own, []))
    expect(context.trustedCa?.specifier.value).toBe('own')
    expect(context.customValidatorConfig).toBeUndefined()
  })

  it('are given by domain where there are several', () => {
    const partner = { trustDomain: 'partner.example', rootsPem: 'theirs' }
    const { customValidatorConfig } = overTheWire(
      CertificateValidationContextSchema,
      encodeTrustBundles(own, [partner]),
    )
    expect(customValidatorConfig?.name).toBe('envoy.tls.cert_validator.spiffe')
    const { trustDomains } = readTypedConfig(customValidatorConfig?.typedConfig, SPIFFECertValidatorConfigSchema, '')
    expect(trustDomains.map(({ name, trustBundle }) => [name, trustBundle?.specifier.value])).toEqual([
      ['mesh.local', 'own'],
      ['partner.example', 'theirs'],
    ])
  })
})

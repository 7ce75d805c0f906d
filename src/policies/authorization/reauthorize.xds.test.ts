import { describe, expect, it } from 'vitest'

import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { FilterChainSchema } from '../../contracts/xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import { SourceInfoSchema } from '../../contracts/xds/gen/heddle/v1/source_info_pb.ts'
import { metadataKey } from '../../contracts/xds/names.ts'
import { readTypedConfig, typedConfig } from '../typed-config.xds.ts'
import { decodeReauthorize, demandsReauthorization, encodeReauthorize } from './reauthorize.xds.ts'

describe('reauthorize over xDS', () => {
  it('is metadata of a filter chain, beside what it says of its origin', () => {
    const source = typedConfig(SourceInfoSchema, { document: 'Workload/default/web' })
    const metadata = encodeReauthorize({ typedFilterMetadata: { [metadataKey]: source } })
    const chain = overTheWire(FilterChainSchema, { metadata })
    expect(decodeReauthorize(chain.metadata)).toBe(true)
    const kept = readTypedConfig(chain.metadata?.typedFilterMetadata[metadataKey], SourceInfoSchema, 'metadata')
    expect(kept.document).toBe('Workload/default/web')
  })

  it('is not there unless it is said', () => {
    expect(decodeReauthorize(undefined)).toBe(false)
    const metadata = { filterMetadata: { [metadataKey]: { reauthorize: true } } }
    expect(decodeReauthorize(overTheWire(FilterChainSchema, { metadata }).metadata)).toBe(false)
  })

  it.each([
    [[], false],
    [[{ reauthorize: false, dryRun: false }], false],
    [[{ reauthorize: true, dryRun: true }], false],
    [
      [
        { reauthorize: false, dryRun: false },
        { reauthorize: true, dryRun: false },
      ],
      true,
    ],
  ])('is demanded by policies that are %j: %s', (policies, expected) => {
    const applied = policies.map((one) => ({ spec: { action: 'DENY' as const, ...one } }))
    expect(demandsReauthorization(applied)).toBe(expected)
  })
})

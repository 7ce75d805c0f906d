import * as fc from 'fast-check'
import { expect, it } from 'vitest'

import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { FilterChainSchema } from '../../contracts/xds/gen/envoy/config/listener/v3/listener_components_pb.ts'
import { metadataKey } from '../../contracts/xds/names.ts'
import { decodeMuted, encodeMuted } from './telemetry.xds.ts'

it('decodes what it encodes, beside what the chain says of itself', () => {
  fc.assert(
    fc.property(fc.record({ metrics: fc.boolean(), decisionRecords: fc.boolean() }), (muted) => {
      const metadata = encodeMuted({ filterMetadata: { [metadataKey]: { kept: true } } }, muted)
      const chain = overTheWire(FilterChainSchema, { metadata })
      expect(decodeMuted(chain.metadata)).toEqual(muted)
      expect(chain.metadata?.filterMetadata[metadataKey]).toEqual({ kept: true })
    }),
  )
})

it('mutes nothing that is not said', () => {
  expect(decodeMuted(undefined)).toBeUndefined()
  expect(decodeMuted(overTheWire(FilterChainSchema, { metadata: {} }).metadata)).toBeUndefined()
})

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { adaptiveConcurrency } from '../../../test/kit/arbitrary-traffic-specs.ts'
import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { MetadataSchema } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import { adaptiveConcurrencySchema, toAdaptiveConcurrencySpec } from './adaptive-concurrency.schema.ts'
import { decodeAdaptiveConcurrency, encodeAdaptiveConcurrency } from './adaptive-concurrency.xds.ts'

describe('adaptive concurrency over xDS', () => {
  it('is decoded as it was encoded', () => {
    fc.assert(
      fc.property(adaptiveConcurrency, (spec) => {
        const metadata = overTheWire(MetadataSchema, { typedFilterMetadata: encodeAdaptiveConcurrency(spec) })
        expect(decodeAdaptiveConcurrency(metadata)).toEqual(spec)
      }),
    )
  })

  it('is none where a cluster says nothing', () => {
    expect(decodeAdaptiveConcurrency(undefined)).toBeUndefined()
    expect(decodeAdaptiveConcurrency(overTheWire(MetadataSchema, {}))).toBeUndefined()
  })
})

describe('adaptive concurrency as written', () => {
  it('needs nothing in it', () => {
    expect(toAdaptiveConcurrencySpec(adaptiveConcurrencySchema.parse({}))).toEqual({
      sampleAggregatePercentile: 50,
      maxConcurrencyLimit: 1_000,
      concurrencyUpdateIntervalMs: 100,
      minRtt: { intervalMs: 15_000, requestCount: 25, jitterPercent: 15, minConcurrency: 3, bufferPercent: 100 },
    })
  })

  it.each([
    { sampleAggregatePercentile: 0 },
    { maxConcurrencyLimit: 0 },
    { maxConcurrencyLimit: 2 },
    { concurrencyUpdateInterval: '0s' },
    { minRtt: { interval: '10ms' } },
    { minRtt: { requestCount: 0 } },
    { minRtt: { minConcurrency: 2_000 } },
    { minRtt: { bufferPercent: 0 } },
    { minRtt: { jitterPercent: -1 } },
    { limit: 5 },
  ])('refuses %o', (settings) => {
    expect(adaptiveConcurrencySchema.safeParse(settings).success).toBe(false)
  })
})

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { outlierDetection } from '../../../test/kit/arbitrary-traffic-specs.ts'
import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { OutlierDetectionSchema } from '../../contracts/xds/gen/envoy/config/cluster/v3/outlier_detection_pb.ts'
import { decodeOutlierDetection, encodeOutlierDetection } from './outlier-detection.xds.ts'

describe('outlier detection over xDS', () => {
  it('decodes what it encodes', () => {
    fc.assert(
      fc.property(outlierDetection, (spec) => {
        expect(decodeOutlierDetection(overTheWire(OutlierDetectionSchema, encodeOutlierDetection(spec)))).toEqual(spec)
      }),
    )
  })

  it('is none where a cluster says nothing', () => {
    expect(decodeOutlierDetection(undefined)).toBeUndefined()
  })

  it("takes Envoy's defaults for an empty message", () => {
    expect(decodeOutlierDetection(overTheWire(OutlierDetectionSchema, {}))).toEqual({
      consecutive5xx: 5,
      consecutiveGatewayErrors: 0,
      consecutiveLocalOriginFailures: 0,
      splitLocalOrigin: false,
      intervalMs: 10_000,
      baseEjectionMs: 30_000,
      maxEjectionMs: 300_000,
      maxEjectionPercent: 10,
      successRate: { minimumHosts: 5, requestVolume: 100, stdevFactor: 1900 },
    })
  })
})

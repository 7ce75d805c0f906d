import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { ListenerSchema } from '../../contracts/xds/gen/envoy/config/listener/v3/listener_pb.ts'
import type { MetricsExportSpec } from './metrics-export.spec.ts'
import { decodeMetricsExport, encodeMetricsExport } from './metrics-export.xds.ts'

function decoded(metadata: ReturnType<typeof encodeMetricsExport>): MetricsExportSpec | undefined {
  return decodeMetricsExport(overTheWire(ListenerSchema, { metadata }).metadata)
}

const spec: fc.Arbitrary<MetricsExportSpec> = fc
  .record({
    collector: fc.option(
      fc
        .record({
          cluster: fc.stringMatching(/^[a-z][a-z0-9.-]{0,40}:[1-9][0-9]{0,3}$/),
          path: fc.option(fc.stringMatching(/^\/[a-z0-9/]{0,20}$/), { nil: undefined }),
          timeoutMs: fc.integer({ min: 1, max: 60_000 }),
        })
        .map(({ path, ...rest }) => ({ ...rest, ...(path === undefined ? {} : { path }) })),
      { nil: undefined },
    ),
    intervalMs: fc.integer({ min: 1_000, max: 3_600_000 }),
    names: fc.constantFrom('openTelemetry' as const, 'istio' as const),
    histograms: fc.constantFrom('explicit' as const, 'exponential' as const),
  })
  .map(({ collector, ...rest }) => ({ ...rest, ...(collector && { collector }) }))

describe('the export of metrics over xDS', () => {
  it('decodes what it encodes', () => {
    fc.assert(
      fc.property(spec, (one) => {
        expect(decoded(encodeMetricsExport(one))).toEqual(one)
      }),
    )
  })

  it('is off where nothing is said', () => {
    expect(decodeMetricsExport(undefined)).toBeUndefined()
    expect(decoded({})).toBeUndefined()
  })
})

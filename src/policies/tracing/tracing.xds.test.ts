import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { HttpConnectionManagerSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { TracingSpec } from './tracing.spec.ts'
import { decodeTracing, encodeTracing } from './tracing.xds.ts'

type Tracing = ReturnType<typeof encodeTracing>

function decoded(tracing: Tracing) {
  return decodeTracing(overTheWire(HttpConnectionManagerSchema, { tracing }).tracing)
}

const collector = { cluster: 'otel.default.svc.cluster.local:4317', timeoutMs: 5_000 }
const spec: fc.Arbitrary<TracingSpec> = fc
  .record({
    cluster: fc.stringMatching(/^[a-z][a-z0-9.-]{0,40}:[1-9][0-9]{0,3}$/),
    path: fc.option(fc.stringMatching(/^\/[a-z0-9/]{0,20}$/), { nil: undefined }),
    timeoutMs: fc.integer({ min: 1, max: 60_000 }),
    percent: fc.integer({ min: 0, max: 100 }),
  })
  .map(({ cluster, path, timeoutMs, percent }) => ({
    collector: { cluster, ...(path === undefined ? {} : { path }), timeoutMs },
    randomSamplingPercent: percent,
  }))

describe('tracing over xDS', () => {
  it('decodes what it encodes', () => {
    fc.assert(
      fc.property(spec, (one) => {
        expect(decoded(encodeTracing(one))).toEqual(one)
      }),
    )
  })

  it('is off where nobody gets the spans', () => {
    expect(decodeTracing(undefined)).toBeUndefined()
    expect(decoded({ randomSampling: { value: 5 } })).toBeUndefined()
  })

  it('samples all where Envoy would', () => {
    const { randomSampling: _, ...rest } = encodeTracing({ collector, randomSamplingPercent: 1 })
    expect(decoded(rest)?.randomSamplingPercent).toBe(100)
  })

  it('refuses what it cannot send to', () => {
    expect(() => decoded({ provider: { name: 'envoy.tracers.zipkin' } })).toThrow('envoy.tracers.zipkin')
  })
})

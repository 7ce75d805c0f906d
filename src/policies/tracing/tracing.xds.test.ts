import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { HttpConnectionManagerSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { SpanAttributeSpec, TracingSpec } from './tracing.spec.ts'
import { decodeTracing, encodeTracing } from './tracing.xds.ts'

type Tracing = ReturnType<typeof encodeTracing>

function decoded(tracing: Tracing) {
  return decodeTracing(overTheWire(HttpConnectionManagerSchema, { tracing }).tracing)
}

const collector = { cluster: 'otel.default.svc.cluster.local:4317', timeoutMs: 5_000 }
const percent = fc.integer({ min: 0, max: 100 })
const name = fc.stringMatching(/^[a-z.]{1,20}$/)
const attribute: fc.Arbitrary<SpanAttributeSpec> = fc.oneof(
  fc.record({ name, kind: fc.constant('literal' as const), value: fc.string({ minLength: 1 }) }),
  fc.record({ name, kind: fc.constant('header' as const), header: fc.stringMatching(/^x-[a-f]{1,9}$/) }),
)
const spec: fc.Arbitrary<TracingSpec> = fc
  .record({
    cluster: fc.stringMatching(/^[a-z][a-z0-9.-]{0,40}:[1-9][0-9]{0,3}$/),
    path: fc.option(fc.stringMatching(/^\/[a-z0-9/]{0,20}$/), { nil: undefined }),
    timeoutMs: fc.integer({ min: 1, max: 60_000 }),
    percent,
    rules: fc.array(fc.record({ matches: fc.constantFrom('mtls', 'request.path == "/a"'), samplingPercent: percent })),
    ignoresCallers: fc.boolean(),
    attributes: fc.array(attribute),
  })
  .map(({ cluster, path, timeoutMs, percent: share, rules, ignoresCallers, attributes }) => ({
    collector: { cluster, ...(path === undefined ? {} : { path }), timeoutMs },
    randomSamplingPercent: share,
    ...(rules.length > 0 && { samplingRules: rules }),
    ...(ignoresCallers && { ignoresCallers: true }),
    ...(attributes.length > 0 && { attributes }),
  }))

function withRule(matches: string): TracingSpec {
  return { collector, randomSamplingPercent: 1, samplingRules: [{ matches, samplingPercent: 100 }] }
}

describe('tracing over xDS', () => {
  it('decodes what it encodes', () => {
    fc.assert(
      fc.property(spec, (one) => {
        expect(decoded(encodeTracing(one))).toEqual(one)
      }),
    )
  })

  it('refuses a rule that cannot be decided', () => {
    expect(() => decoded(encodeTracing(withRule('response.status == 200')))).toThrow(
      'rule 0: "response.status" is not known here',
    )
    expect(() => decoded(encodeTracing(withRule('(')))).toThrow('rule 0')
  })

  it('leaves a header with credentials out of spans, and what it cannot tell', () => {
    const tracing = encodeTracing({ collector, randomSamplingPercent: 1 })
    const customTags = [
      { tag: 'token', type: { case: 'requestHeader', value: { name: 'Authorization' } } },
      { tag: 'home', type: { case: 'environment', value: { name: 'HOME' } } },
      { tag: 'tenant', type: { case: 'requestHeader', value: { name: 'X-Tenant' } } },
    ]
    expect(decoded({ ...tracing, customTags } as Tracing)?.attributes).toEqual([
      { name: 'tenant', kind: 'header', header: 'x-tenant' },
    ])
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

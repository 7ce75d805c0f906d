import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { retry, retryConstraint } from '../../../test/kit/arbitrary-specs.ts'
import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { CircuitBreakersSchema } from '../../contracts/xds/gen/envoy/config/cluster/v3/circuit_breaker_pb.ts'
import { MetadataSchema } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import { RetryPolicySchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { decodeRetryConstraint, decodeRetryPolicy, encodeRetryConstraint, encodeRetryPolicy } from './retries.xds.ts'

describe('retries over xDS', () => {
  it('decodes what it encodes', () => {
    fc.assert(
      fc.property(retry, (spec) => {
        const init = encodeRetryPolicy(spec, undefined) ?? {}
        expect(decodeRetryPolicy(overTheWire(RetryPolicySchema, init))).toEqual(spec)
      }),
    )
  })

  it('keeps a bound on one attempt apart from retries', () => {
    expect(encodeRetryPolicy(undefined, undefined)).toBeUndefined()
    const onlyBound = overTheWire(RetryPolicySchema, encodeRetryPolicy(undefined, { seconds: 1n }) ?? {})
    expect(decodeRetryPolicy(onlyBound)).toBeUndefined()
    expect(onlyBound.numRetries).toBe(0)
  })

  it("takes Envoy's conditions for the statuses they stand for, and its defaults", () => {
    const message = overTheWire(RetryPolicySchema, {
      retryOn: 'gateway-error, retriable-4xx,connect-failure',
      retriableStatusCodes: [418],
    })
    expect(decodeRetryPolicy(message)).toEqual({ attempts: 1, statusCodes: [502, 503, 504, 409], backoffMs: 25 })
  })

  it("takes Envoy's conditions for gRPC statuses", () => {
    const message = overTheWire(RetryPolicySchema, {
      retryOn: 'unavailable,cancelled, resource-exhausted',
      numRetries: 2,
    })
    expect(decodeRetryPolicy(message)).toEqual({
      attempts: 2,
      statusCodes: [],
      grpcStatuses: [14, 1, 8],
      backoffMs: 25,
    })
  })

  it('decodes the constraint that it encodes', () => {
    fc.assert(
      fc.property(retryConstraint, (spec) => {
        const metadata = overTheWire(MetadataSchema, { typedFilterMetadata: encodeRetryConstraint(spec) })
        expect(decodeRetryConstraint(metadata, undefined)).toEqual(spec)
      }),
    )
  })

  it("takes Envoy's budget where a cluster has no other, and its defaults", () => {
    const others = { intervalMs: 10_000, minIntervalMs: 1_000 }
    const thresholds = [{ retryBudget: { budgetPercent: { value: 50 }, minRetryConcurrency: 7 } }]
    const breakers = overTheWire(CircuitBreakersSchema, { thresholds })
    expect(decodeRetryConstraint(undefined, breakers)).toEqual({ percent: 50, minRetries: 7, ...others })
    expect(decodeRetryConstraint(undefined, undefined)).toEqual({ percent: 20, minRetries: 3, ...others })
  })

  it('refuses a constraint without intervals', () => {
    const metadata = overTheWire(MetadataSchema, {
      typedFilterMetadata: encodeRetryConstraint({ percent: 20, intervalMs: 0, minRetries: 1, minIntervalMs: 1 }),
    })
    expect(() => decodeRetryConstraint(metadata, undefined)).toThrow('an interval is 0')
  })
})

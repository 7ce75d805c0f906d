import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { retry } from '../../../test/kit/arbitrary-specs.ts'
import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { CircuitBreakersSchema } from '../../contracts/xds/gen/envoy/config/cluster/v3/circuit_breaker_pb.ts'
import { RetryPolicySchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { decodeRetryBudget, decodeRetryPolicy, encodeRetryBudget, encodeRetryPolicy } from './retries.xds.ts'

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

  it('decodes the budget that it encodes', () => {
    const budget = fc.record(
      { percent: fc.integer({ min: 0, max: 100 }), minConcurrency: fc.nat({ max: 1000 }) },
      { noNullPrototype: true },
    )
    fc.assert(
      fc.property(budget, (spec) => {
        const thresholds = [{ retryBudget: encodeRetryBudget(spec) }]
        expect(decodeRetryBudget(overTheWire(CircuitBreakersSchema, { thresholds }))).toEqual(spec)
      }),
    )
    expect(decodeRetryBudget(undefined)).toEqual({ percent: 20, minConcurrency: 3 })
  })
})

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { circuitBreaker } from '../../../test/kit/arbitrary-traffic-specs.ts'
import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { CircuitBreakersSchema } from '../../contracts/xds/gen/envoy/config/cluster/v3/circuit_breaker_pb.ts'
import { CircuitBreaker } from './circuit-breaker.runtime.ts'
import { circuitBreakerSchema, defaultCircuitBreaker, toCircuitBreakerSpec } from './circuit-breaker.schema.ts'
import { decodeCircuitBreaker, encodeCircuitBreaker } from './circuit-breaker.xds.ts'

describe('circuit breakers', () => {
  it('are decoded as they were encoded', () => {
    fc.assert(
      fc.property(circuitBreaker, (spec) => {
        expect(decodeCircuitBreaker(overTheWire(CircuitBreakersSchema, encodeCircuitBreaker(spec, {})))).toEqual(spec)
      }),
    )
  })

  it("have Envoy's limits where a cluster says nothing", () => {
    expect(decodeCircuitBreaker(undefined)).toEqual({
      maxConnections: 1024,
      maxPendingRequests: 1024,
      maxRequests: 1024,
    })
  })

  it('have no bound where nothing is written', () => {
    expect(toCircuitBreakerSpec(circuitBreakerSchema.parse({}))).toEqual(defaultCircuitBreaker)
    expect(new CircuitBreaker(defaultCircuitBreaker)).toMatchObject({ connectionsFull: false, requestsFull: false })
  })

  it('are full at their limits, and follow a change of them', () => {
    const breaker = new CircuitBreaker({ maxConnections: 1, maxPendingRequests: 0, maxRequests: 2 })
    breaker.requests = 2
    expect(breaker).toMatchObject({ requestsFull: true, pendingFull: true, connectionsFull: false })
    breaker.limits = defaultCircuitBreaker
    expect(breaker).toMatchObject({ requestsFull: false, pendingFull: false })
  })
})

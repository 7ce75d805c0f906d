import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { healthCheck } from '../../../test/kit/arbitrary-traffic-specs.ts'
import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { HealthCheckSchema } from '../../contracts/xds/gen/envoy/config/core/v3/health_check_pb.ts'
import { EndpointSchema } from '../../contracts/xds/gen/envoy/config/endpoint/v3/endpoint_components_pb.ts'
import { decodeHealthChecks, encodeHealthChecks, isAsked, notAsked } from './health-checks.xds.ts'

const second = { seconds: 1n }

describe('health checks over xDS', () => {
  it('are decoded as they were encoded', () => {
    fc.assert(
      fc.property(healthCheck, fc.constantFrom('http1', 'http2', 'downstream'), (spec, spoken) => {
        const checks = encodeHealthChecks(spec, spoken).map((check) => overTheWire(HealthCheckSchema, check))
        expect(decodeHealthChecks(checks)).toEqual(spec)
      }),
    )
  })

  it('are none where there is none', () => {
    expect(decodeHealthChecks([])).toBeUndefined()
    expect(encodeHealthChecks(undefined, 'http1')).toEqual([])
  })

  it("take Envoy's 200 alone where no status is named", () => {
    const healthChecker = { case: 'httpHealthCheck', value: { path: '/' } } as const
    const check = overTheWire(HealthCheckSchema, { timeout: second, interval: second, healthChecker })
    expect(decodeHealthChecks([check])?.question).toMatchObject({ statuses: [{ start: 200, end: 201 }] })
  })

  it.each([
    [{ healthChecker: { case: 'tcpHealthCheck', value: {} } } as const, /interval and timeout must be more than 0/],
    [{ timeout: second, interval: second }, /expected http_health_check, grpc_health_check or tcp_health_check/],
  ])('are refused when they cannot be asked', (init, message) => {
    expect(() => decodeHealthChecks([overTheWire(HealthCheckSchema, init)])).toThrow(message)
  })

  it('pass over the endpoints that are marked', () => {
    expect(isAsked(overTheWire(EndpointSchema, {}))).toBe(true)
    expect(isAsked(overTheWire(EndpointSchema, { healthCheckConfig: notAsked }))).toBe(false)
  })
})

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { timeouts } from '../../../test/kit/arbitrary-specs.ts'
import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { RouteActionSchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { HttpConnectionManagerSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { encodeRetryPolicy } from '../retries/retries.xds.ts'
import { decodeStreamIdleTimeout, decodeTimeouts, encodeTimeouts } from './timeouts.xds.ts'

describe('timeouts over xDS', () => {
  it('decodes what it encodes', () => {
    fc.assert(
      fc.property(timeouts, (spec) => {
        const { perTryTimeout, ...bounds } = encodeTimeouts(spec)
        const retryPolicy = encodeRetryPolicy(undefined, perTryTimeout)
        const init = { ...bounds, ...(retryPolicy === undefined ? {} : { retryPolicy }) }
        expect(decodeTimeouts(overTheWire(RouteActionSchema, init))).toEqual(spec)
      }),
    )
  })

  it("takes Envoy's 15 s for a route that says nothing", () => {
    expect(decodeTimeouts(overTheWire(RouteActionSchema, {}))).toEqual({ requestMs: 15_000 })
  })

  it('refuses a negative duration', () => {
    const message = overTheWire(RouteActionSchema, { timeout: { seconds: -1n } })
    expect(() => decodeTimeouts(message)).toThrow('timeout: -1000 ms is negative')
  })
})

const decoded = (init: object): number | undefined =>
  decodeStreamIdleTimeout(overTheWire(HttpConnectionManagerSchema, init))

it('reads the stream idle timeout: absent is the default, 0 is none', () => {
  expect(decoded({})).toBeUndefined()
  expect(decoded({ streamIdleTimeout: { seconds: 2n, nanos: 500_000_000 } })).toBe(2_500)
  expect(decoded({ streamIdleTimeout: { seconds: 0n } })).toBe(Infinity)
  expect(() => decoded({ streamIdleTimeout: { seconds: -1n } })).toThrow('stream_idle_timeout')
})

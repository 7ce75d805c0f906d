import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { globalRateLimits, localRateLimits } from '../../../test/kit/arbitrary-rate-limits.ts'
import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { VirtualHostSchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { RateLimitSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/ratelimit/v3/rate_limit_pb.ts'
import { HttpFilterSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { readTypedConfig } from '../typed-config.xds.ts'
import { decodeGlobalRateLimit, encodeGlobalActions, encodeGlobalRateLimit } from './global-rate-limit.xds.ts'
import { encodeLocalActions } from './local-rate-limit.xds.ts'

const server = { grpcService: { targetSpecifier: { case: 'envoyGrpc', value: { clusterName: 'c' } } } } as const
const made = overTheWire(VirtualHostSchema, {
  rateLimits: [{ actions: [{ actionSpecifier: { case: 'remoteAddress', value: {} } }] }],
}).rateLimits

describe('global rate limits over xDS', () => {
  it('decodes what it encodes, each limit among the actions of all', () => {
    fc.assert(
      fc.property(globalRateLimits, localRateLimits, (limits, locals) => {
        const { rateLimits } = overTheWire(VirtualHostSchema, {
          rateLimits: [
            ...locals.flatMap((limit) => encodeLocalActions(limit) ?? []),
            ...limits.flatMap((limit, index) => encodeGlobalActions(limit, index + 1)),
          ],
        })
        const decoded = limits.map((limit, index) => {
          const { configType } = overTheWire(HttpFilterSchema, encodeGlobalRateLimit(limit, index + 1))
          const any = configType.case === 'typedConfig' ? configType.value : undefined
          return decodeGlobalRateLimit(readTypedConfig(any, RateLimitSchema, 'filter'), rateLimits)
        })
        expect(decoded).toEqual(limits)
      }),
    )
  })

  it('takes a limit of another control plane, with Envoy’s defaults', () => {
    const message = overTheWire(RateLimitSchema, { domain: 'd', rateLimitService: server })
    expect(decodeGlobalRateLimit(message, made)).toEqual({
      name: 'd',
      domain: 'd',
      server: { cluster: 'c', timeoutMs: 20, failureModeDeny: false, statusOnError: 500 },
      descriptors: [[{ key: 'remote_address', by: { kind: 'address' } }]],
    })
  })

  it('is nothing where there is nothing to ask about', () => {
    expect(decodeGlobalRateLimit(overTheWire(RateLimitSchema, { domain: 'd', stage: 3 }), made)).toBeUndefined()
  })

  it.each([
    [{ requestType: 'internal' }, 'request_type'],
    [{ rateLimitedStatus: { code: 503 } }, 'status 503'],
    [{ rateLimitService: {} }, 'envoy_grpc'],
  ])('refuses what it cannot serve: $1', (init, reason) => {
    const message = overTheWire(RateLimitSchema, { domain: 'd', rateLimitService: server, ...init } as never)
    expect(() => decodeGlobalRateLimit(message, made)).toThrow(reason)
  })
})

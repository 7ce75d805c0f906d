import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { localRateLimits } from '../../../test/kit/arbitrary-rate-limits.ts'
import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { VirtualHostSchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import type { RateLimit } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { LocalRateLimitSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.ts'
import { HttpFilterSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { readTypedConfig } from '../typed-config.xds.ts'
import { decodeLocalRateLimits, encodeLocalActions, encodeLocalRateLimit } from './local-rate-limit.xds.ts'

const hundred = { defaultValue: { numerator: 100 } }
const perSecond = { maxTokens: 5, fillInterval: { seconds: 1n } }

function actions(...made: readonly object[]): readonly RateLimit[] {
  return overTheWire(VirtualHostSchema, { rateLimits: made as never }).rateLimits
}

describe('local rate limits over xDS', () => {
  it('decodes what it encodes, each limit among the actions of all', () => {
    fc.assert(
      fc.property(localRateLimits, (limits) => {
        const made = actions(...limits.flatMap((limit) => encodeLocalActions(limit) ?? []))
        const decoded = limits.flatMap((limit) => {
          const { configType } = overTheWire(HttpFilterSchema, encodeLocalRateLimit(limit))
          const any = configType.case === 'typedConfig' ? configType.value : undefined
          return decodeLocalRateLimits(readTypedConfig(any, LocalRateLimitSchema, 'filter'), made)
        })
        expect(decoded).toEqual(limits)
      }),
    )
  })

  it('takes limits of another control plane: by stage, with Envoy’s defaults', () => {
    const message = overTheWire(LocalRateLimitSchema, {
      statPrefix: 'mine',
      filterEnabled: hundred,
      tokenBucket: perSecond,
      stage: 1,
      descriptors: [
        { entries: [{ key: 'generic_key', value: 'a' }, { key: 'remote_address' }], tokenBucket: perSecond },
      ],
    })
    const made = actions(
      { stage: 1, actions: [generic('a'), { actionSpecifier: { case: 'remoteAddress', value: {} } }] },
      { stage: 1, actions: [generic('b'), { actionSpecifier: { case: 'remoteAddress', value: {} } }] },
      { stage: 0, actions: [{ actionSpecifier: { case: 'sourceCluster', value: {} } }] },
    )
    const tokenBucket = { maxTokens: 5, tokensPerFill: 1, fillIntervalMs: 1_000 }
    expect(decodeLocalRateLimits(message, made)).toEqual([
      { name: 'mine', tokenBucket, descriptor: [{ key: 'remote_address', by: { kind: 'address' } }], enforcedShare: 0 },
      { name: 'mine', tokenBucket, descriptor: [], enforcedShare: 0 },
    ])
  })

  it('is nothing where it is not enabled', () => {
    expect(decodeLocalRateLimits(overTheWire(LocalRateLimitSchema, { tokenBucket: perSecond }), [])).toEqual([])
  })

  it.each([
    [{ localRateLimitPerDownstreamConnection: true }, 'per connection'],
    [{ localClusterRateLimit: {}, descriptors: [{}] }, 'local_cluster_rate_limit'],
    [{ filterEnabled: { defaultValue: { numerator: 50 } } }, '0 or 100 %'],
    [{ status: { code: 503 } }, 'status 503'],
    [{ tokenBucket: { maxTokens: 1 } }, 'fill_interval'],
    [{ tokenBucket: { fillInterval: { seconds: 1n } } }, 'nothing would pass'],
  ])('refuses what it cannot serve: $1', (init, reason) => {
    const message = overTheWire(LocalRateLimitSchema, {
      filterEnabled: hundred,
      tokenBucket: perSecond,
      ...init,
    } as never)
    expect(() => decodeLocalRateLimits(message, [])).toThrow(reason)
  })

  it.each([
    [{ case: 'sourceCluster', value: {} }, 'sourceCluster'],
    [{ case: 'requestHeaders', value: { headerName: 'a', descriptorKey: 'k', skipIfAbsent: true } }, 'skip_if_absent'],
    [{ case: 'metadata', value: { descriptorKey: 'k', metadataKey: { key: 'other' } } }, 'only a claim'],
  ])('refuses actions that it cannot serve: $1', (actionSpecifier, reason) => {
    const descriptors = [{ entries: [{ key: 'k' }], tokenBucket: perSecond }]
    const message = overTheWire(LocalRateLimitSchema, { filterEnabled: hundred, descriptors })
    expect(() => decodeLocalRateLimits(message, actions({ actions: [{ actionSpecifier }] }))).toThrow(reason)
  })
})

function generic(descriptorValue: string): object {
  return { actionSpecifier: { case: 'genericKey', value: { descriptorValue } } }
}

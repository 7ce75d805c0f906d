import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { hashPolicy, loadBalancing } from '../../../test/kit/arbitrary-specs.ts'
import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { ClusterSchema } from '../../contracts/xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { RouteAction_HashPolicySchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { MaglevSchema } from '../../contracts/xds/gen/envoy/extensions/load_balancing_policies/maglev/v3/maglev_pb.ts'
import { SubsetSchema } from '../../contracts/xds/gen/envoy/extensions/load_balancing_policies/subset/v3/subset_pb.ts'
import { PeakEwmaSchema } from '../../contracts/xds/gen/heddle/v1/load_balancing_pb.ts'
import { typedConfig } from '../typed-config.xds.ts'
import { decodeHashPolicy, encodeHashPolicy } from './hash-policy.xds.ts'
import type { LoadBalancingSpec } from './load-balancing.spec.ts'
import { decodeLoadBalancing, encodeLoadBalancing } from './load-balancing.xds.ts'

const names = (spec: LoadBalancingSpec): unknown[] =>
  encodeLoadBalancing(spec).loadBalancingPolicy?.policies?.map((one) => one.typedExtensionConfig?.name) ?? []

describe('load balancing over xDS', () => {
  it('decodes what it encodes', () => {
    fc.assert(
      fc.property(loadBalancing, (spec) => {
        expect(decodeLoadBalancing(overTheWire(ClusterSchema, encodeLoadBalancing(spec)))).toEqual(spec)
      }),
    )
  })

  it('leaves data planes that do not know a policy one that they know', () => {
    expect(names({ kind: 'peak-ewma', choiceCount: 2, decayMs: 10_000 })).toEqual([
      'heddle.load_balancing_policies.peak_ewma',
      'envoy.load_balancing_policies.least_request',
      'envoy.load_balancing_policies.round_robin',
    ])
    expect(names({ kind: 'maglev', tableSize: 65_537 }).at(-1)).toBe('envoy.load_balancing_policies.round_robin')
  })

  it('compares two endpoints when the control plane asks for nothing that it knows', () => {
    expect(decodeLoadBalancing(overTheWire(ClusterSchema, {}))).toEqual({ kind: 'least-request', choiceCount: 2 })
  })

  it.each([
    ['a table that is not of prime size', typedConfig(MaglevSchema, { tableSize: 65_536n }), 'prime'],
    ['a peak EWMA that never forgets', typedConfig(PeakEwmaSchema, {}), 'decay_time'],
    [
      'one endpoint a subset',
      typedConfig(SubsetSchema, { subsetSelectors: [{ keys: ['a'], singleHostPerSubset: true }] }),
      'single_host',
    ],
    [
      'keys that a subset may lack',
      typedConfig(SubsetSchema, { subsetSelectors: [{ keys: ['a'], fallbackPolicy: 4 }] }),
      'KEYS_SUBSET',
    ],
  ])('refuses %s', (_, config, message) => {
    const policies = [{ typedExtensionConfig: { name: 'one', typedConfig: config } }]
    const cluster = overTheWire(ClusterSchema, { loadBalancingPolicy: { policies } })
    expect(() => decodeLoadBalancing(cluster)).toThrow(message)
  })
})

describe('hash policies over xDS', () => {
  it('decode what they encode', () => {
    fc.assert(
      fc.property(hashPolicy, (spec) => {
        expect(decodeHashPolicy(overTheWire(RouteAction_HashPolicySchema, encodeHashPolicy(spec)))).toEqual(spec)
      }),
    )
  })

  it('refuse what this proxy cannot hash', () => {
    const filterState = { policySpecifier: { case: 'filterState', value: { key: 'other' } } } as const
    expect(() => decodeHashPolicy(overTheWire(RouteAction_HashPolicySchema, filterState))).toThrow('filterState')
  })
})

import { describe, expect, it } from 'vitest'

import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { ClusterSchema } from '../../contracts/xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { decodeLoadBalancing, encodeLoadBalancing } from './load-balancing.xds.ts'

describe('load balancing over xDS', () => {
  it.each([2, 3, 10])('decodes what it encodes: %i choices', (choiceCount) => {
    const spec = { kind: 'least-request', choiceCount } as const
    const message = overTheWire(ClusterSchema, { loadBalancingPolicy: encodeLoadBalancing(spec) })
    expect(decodeLoadBalancing(message)).toEqual(spec)
  })

  it('compares two endpoints when the control plane asks for something else', () => {
    expect(decodeLoadBalancing(overTheWire(ClusterSchema, {}))).toEqual({ kind: 'least-request', choiceCount: 2 })
  })
})

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { trafficSplit } from '../../../test/kit/arbitrary-specs.ts'
import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { RouteActionSchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { decodeTrafficSplit, encodeTrafficSplit } from './traffic-split.xds.ts'

describe('traffic split over xDS', () => {
  it('decodes what it encodes', () => {
    fc.assert(
      fc.property(trafficSplit, (backends) => {
        const message = overTheWire(RouteActionSchema, { clusterSpecifier: encodeTrafficSplit(backends) })
        expect(decodeTrafficSplit(message)).toEqual(backends)
      }),
    )
  })

  it('says a lone backend as a plain cluster', () => {
    expect(encodeTrafficSplit([{ cluster: 'a:80', weight: 1 }])).toEqual({ case: 'cluster', value: 'a:80' })
  })

  it.each([
    [{}, 'got none'],
    [{ clusterSpecifier: { case: 'clusterHeader', value: 'x' } }, 'got clusterHeader'],
    [{ clusterSpecifier: { case: 'cluster', value: '' } }, 'empty'],
    [{ clusterSpecifier: { case: 'weightedClusters', value: { clusters: [{ name: 'a' }] } } }, 'no weight is above 0'],
    [
      { clusterSpecifier: { case: 'weightedClusters', value: { clusters: [{ clusterHeader: 'x', weight: 1 }] } } },
      'cluster_header',
    ],
  ])('refuses %j by name', (init, reason) => {
    expect(() => decodeTrafficSplit(overTheWire(RouteActionSchema, init as never))).toThrow(reason)
  })
})

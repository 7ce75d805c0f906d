import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { faults } from '../../../test/kit/arbitrary-specs.ts'
import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { FilterConfigSchema, RouteSchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { HTTPFaultSchema } from '../../contracts/xds/gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts'
import { typedConfig } from '../typed-config.xds.ts'
import { decodeFaults, encodeFaults, faultFilter } from './faults.xds.ts'

describe('faults over xDS', () => {
  it('decodes what it encodes', () => {
    fc.assert(
      fc.property(faults, (spec) => {
        const message = overTheWire(RouteSchema, { typedPerFilterConfig: encodeFaults(spec) })
        expect(decodeFaults(message.typedPerFilterConfig)).toEqual(spec)
      }),
    )
  })

  it('is absent when the route has none, or switches them off', () => {
    expect(encodeFaults(undefined)).toEqual({})
    expect(decodeFaults({})).toBeUndefined()
    expect(decodeFaults({ [faultFilter]: typedConfig(FilterConfigSchema, { disabled: true }) })).toBeUndefined()
  })

  it('takes faults of another control plane: none of the requests where no percentage is given', () => {
    const fault = typedConfig(HTTPFaultSchema, { abort: { errorType: { case: 'httpStatus', value: 503 } } })
    expect(decodeFaults({ [faultFilter]: fault })).toEqual({
      headers: [],
      abort: { share: 0, by: { kind: 'http', status: 503 } },
    })
  })

  it.each([
    [{ upstreamCluster: 'a' }, 'upstream_cluster'],
    [{ downstreamNodes: ['a'] }, 'downstream_nodes'],
    [{ delay: {} }, 'fixed_delay or header_delay'],
    [{ abort: {} }, 'http_status, grpc_status or header_abort'],
    [{ abort: { errorType: { case: 'httpStatus', value: 99 } } }, '99 is not a status'],
    [{ responseRateLimit: {} }, 'limit_kbps'],
    [{ headers: [{ name: 'a', invertMatch: true }] }, 'fault: headers: header "a": invert_match'],
  ] as const)('refuses %j by name', (init, reason) => {
    expect(() => decodeFaults({ [faultFilter]: typedConfig(HTTPFaultSchema, init as never) })).toThrow(reason)
  })
})

import * as fc from 'fast-check'
import { expect, it } from 'vitest'

import { sessionPersistence } from '../../../test/kit/arbitrary-specs.ts'
import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { RouteSchema } from '../../contracts/xds/gen/envoy/config/route/v3/route_components_pb.ts'
import { decodeSessionPersistence, encodeSessionPersistence } from './session-persistence.xds.ts'

it('session persistence over xDS decodes what it encodes', () => {
  fc.assert(
    fc.property(fc.option(sessionPersistence, { nil: undefined }), (spec) => {
      const route = overTheWire(RouteSchema, { typedPerFilterConfig: encodeSessionPersistence(spec) })
      expect(decodeSessionPersistence(route.typedPerFilterConfig)).toEqual(spec)
    }),
  )
})

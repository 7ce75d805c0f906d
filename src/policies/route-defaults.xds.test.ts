import * as fc from 'fast-check'
import { expect, it } from 'vitest'

import { retry, timeouts } from '../../test/kit/arbitrary-specs.ts'
import { overTheWire } from '../../test/kit/over-the-wire.ts'
import { MetadataSchema } from '../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import { decodeRouteDefaults, encodeRouteDefaults } from './route-defaults.xds.ts'

const sent = (defaults: Parameters<typeof encodeRouteDefaults>[0]): ReturnType<typeof decodeRouteDefaults> =>
  decodeRouteDefaults(overTheWire(MetadataSchema, { typedFilterMetadata: encodeRouteDefaults(defaults) }))

it('what routes leave open is decoded as it was encoded', () => {
  fc.assert(
    fc.property(timeouts, fc.option(retry, { nil: undefined }), (bounds, repeats) => {
      const defaults = { timeouts: bounds, ...(repeats === undefined ? {} : { retry: repeats }) }
      expect(sent(defaults)).toEqual(defaults)
    }),
  )
})

it('is nothing where nothing is said', () => {
  expect(sent({})).toBeUndefined()
  expect(decodeRouteDefaults(undefined)).toBeUndefined()
})

import * as fc from 'fast-check'
import { expect, it } from 'vitest'

import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { HttpConnectionManagerSchema } from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { ForwardedHeadersSpec } from './forwarded-headers.spec.ts'
import { decodeForwardedHeaders, encodeForwardedHeaders } from './forwarded-headers.xds.ts'

const specs: fc.Arbitrary<ForwardedHeadersSpec> = fc.record(
  {
    appendForwardedFor: fc.boolean(),
    forwardedHeader: fc.boolean(),
    via: fc.constantFrom(undefined, 'heddle', 'edge-1'),
    trustedHops: fc.nat(9),
  },
  { noNullPrototype: true },
)

it('decodes what it encodes', () => {
  fc.assert(
    fc.property(specs, fc.boolean(), (spec, atEdge) => {
      const { manager, filters } = encodeForwardedHeaders(spec, atEdge)
      const message = overTheWire(HttpConnectionManagerSchema, { ...manager, httpFilters: [...filters] })
      expect(decodeForwardedHeaders(message)).toEqual(spec)
    }),
  )
})

it('appends nothing for a manager that says nothing, as Envoy', () => {
  const message = overTheWire(HttpConnectionManagerSchema, {})
  expect(decodeForwardedHeaders(message)).toEqual({
    appendForwardedFor: false,
    forwardedHeader: false,
    via: undefined,
    trustedHops: 0,
  })
})

import * as fc from 'fast-check'
import { expect, it } from 'vitest'

import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import {
  HttpConnectionManagerSchema,
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
} from '../../contracts/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import type { PathNormalizationSpec } from './path-normalization.spec.ts'
import { decodePathNormalization, encodePathNormalization } from './path-normalization.xds.ts'

const specs: fc.Arbitrary<PathNormalizationSpec> = fc.record(
  {
    normalize: fc.boolean(),
    mergeSlashes: fc.boolean(),
    escapedSlashes: fc.constantFrom('keep', 'reject', 'decode'),
  },
  { noNullPrototype: true },
)

it('decodes what it encodes', () => {
  fc.assert(
    fc.property(specs, (spec) => {
      const message = overTheWire(HttpConnectionManagerSchema, encodePathNormalization(spec))
      expect(decodePathNormalization(message)).toEqual(spec)
    }),
  )
})

it('changes nothing for a manager that says nothing, and decodes where Envoy redirects', () => {
  const nothing = { normalize: false, mergeSlashes: false, escapedSlashes: 'keep' }
  expect(decodePathNormalization(overTheWire(HttpConnectionManagerSchema, {}))).toEqual(nothing)
  const redirect = { pathWithEscapedSlashesAction: EscapedSlashes.UNESCAPE_AND_REDIRECT }
  expect(decodePathNormalization(overTheWire(HttpConnectionManagerSchema, redirect)).escapedSlashes).toBe('decode')
})

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { transformation } from '../../../test/kit/arbitrary-filter-specs.ts'
import { HeaderValueOption_HeaderAppendAction as Append } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import {
  HeaderMutationPerRouteSchema,
  HeaderMutationSchema,
} from '../../contracts/xds/gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.ts'
import { typedConfig } from '../typed-config.xds.ts'
import { decodeTransformation, encodeTransformation, isTransformation } from './transformation.xds.ts'

const header = { key: 'a', value: '1' }
const overwrite = {
  action: { case: 'append' as const, value: { header, appendAction: Append.OVERWRITE_IF_EXISTS_OR_ADD } },
}
const append = { action: { case: 'append' as const, value: { header } } }
const remove = { action: { case: 'remove' as const, value: 'b' } }

describe('transformation over xDS', () => {
  it('decodes what it encodes', () => {
    fc.assert(
      fc.property(transformation, (spec) => {
        const any = encodeTransformation(spec)
        expect(isTransformation(any)).toBe(true)
        expect(decodeTransformation(any, 'x')).toEqual(spec)
      }),
    )
  })

  it('understands what Envoy has for one route', () => {
    const any = typedConfig(HeaderMutationPerRouteSchema, {
      mutations: { requestMutations: [overwrite, append, remove] },
    })
    const line = { name: 'a', value: '1' }
    expect(decodeTransformation(any, 'x').request).toEqual({ set: [line], add: [line], remove: ['b'] })
  })

  it.each([
    [[remove, append], 'only lines that are overwritten, then appended'],
    [[append, overwrite], 'only lines that are overwritten, then appended'],
    [[{ action: { case: 'remove' as const, value: ':path' } }], 'header ":path" cannot be changed'],
    [[{ action: { case: 'remove' as const, value: 'Content-Length' } }], 'cannot be changed'],
    [[{ action: { case: 'append' as const, value: { header: { key: 'a', value: '%X%' } } } }], '%X% is not known'],
    [[{ action: { case: 'append' as const, value: { header, appendAction: Append.ADD_IF_ABSENT } } }], 'append_action'],
    [[{}], 'expected append or remove'],
  ])('refuses %j', (requestMutations, reason) => {
    const any = typedConfig(HeaderMutationSchema, { mutations: { requestMutations } })
    expect(() => decodeTransformation(any, 'x')).toThrow(reason)
  })
})

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { headerModifier } from '../../../test/kit/arbitrary-specs.ts'
import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import {
  HeaderValueOptionSchema,
  HeaderValueOption_HeaderAppendAction as Append,
} from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import { decodeHeaderModifier, encodeHeaderModifier } from './header-modifier.xds.ts'

describe('header modifier over xDS', () => {
  it('decodes what it encodes', () => {
    fc.assert(
      fc.property(headerModifier, (spec) => {
        const { add, remove } = encodeHeaderModifier(spec)
        const options = add.map((option) => overTheWire(HeaderValueOptionSchema, option))
        expect(decodeHeaderModifier(options, remove)).toEqual(spec)
      }),
    )
  })

  it('is absent when nothing changes', () => {
    expect(encodeHeaderModifier(undefined)).toEqual({ add: [], remove: [] })
    expect(decodeHeaderModifier([], [])).toBeUndefined()
  })

  it('understands the deprecated append field', () => {
    const header = { key: 'a', value: '1' }
    const options = [true, false].map((append) => overTheWire(HeaderValueOptionSchema, { header, append }))
    const line = { name: 'a', value: '1' }
    expect(decodeHeaderModifier(options, [])).toEqual({ set: [line], add: [line], remove: [] })
  })

  it.each([
    [{ header: { key: 'a', value: '%REQ(x)%' } }, 'header "a": command operators'],
    [{ header: { key: 'a', value: '1' }, appendAction: Append.ADD_IF_ABSENT }, 'header "a": append_action'],
    [{ header: { key: '', value: '1' } }, 'no name'],
  ])('refuses %j by name', (option, reason) => {
    expect(() => decodeHeaderModifier([overTheWire(HeaderValueOptionSchema, option)], [])).toThrow(reason)
  })
})

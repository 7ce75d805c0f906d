import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { overTheWire } from '../../../test/kit/over-the-wire.ts'
import { StringMatcherSchema } from '../../contracts/xds/gen/envoy/type/matcher/v3/string_pb.ts'
import { decodeStringMatcher, encodeStringMatcher, escapeRegex, unescapeRegex } from './string-matcher.xds.ts'

describe('string matcher', () => {
  it('decodes what it encodes', () => {
    const spec = fc.record({ kind: fc.constantFrom('exact' as const, 'regex' as const), value: fc.string() })
    fc.assert(
      fc.property(spec, (match) => {
        expect(decodeStringMatcher(overTheWire(StringMatcherSchema, encodeStringMatcher(match)), 'x')).toEqual({
          ...match,
        })
      }),
    )
  })

  it.each([
    ['prefix', 'a.b', ['a.b', 'a.bc'], ['axb', 'ba.b']],
    ['suffix', 'a.b', ['a.b', 'ca.b'], ['axb', 'a.bc']],
    ['contains', 'a.b', ['a.b', 'ca.bc'], ['axb']],
  ] as const)('decodes %s as the expression it means', (kind, value, matching, others) => {
    const message = overTheWire(StringMatcherSchema, { matchPattern: { case: kind, value } })
    const pattern = new RegExp(`^(?:${decodeStringMatcher(message, 'x').value})$`)
    for (const text of matching) expect(text).toMatch(pattern)
    for (const text of others) expect(text).not.toMatch(pattern)
  })

  it('escapes and unescapes any text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(new RegExp(`^${escapeRegex(text)}$`).test(text)).toBe(true)
        expect(unescapeRegex(escapeRegex(text))).toBe(text)
      }),
    )
  })

  it('refuses what it cannot say, by name', () => {
    const ignoring = overTheWire(StringMatcherSchema, { matchPattern: { case: 'exact', value: 'a' }, ignoreCase: true })
    expect(() => decodeStringMatcher(ignoring, 'header "x"')).toThrow('header "x": ignore_case')
    expect(() => decodeStringMatcher(undefined, 'header "x"')).toThrow('header "x": expected exact')
  })
})

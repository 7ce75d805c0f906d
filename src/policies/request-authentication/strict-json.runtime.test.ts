// Reads what JSON.parse reads, but for members that occur twice and deep nesting; says nothing of the text.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { parseStrictJson } from './strict-json.runtime.ts'

describe('strict JSON', () => {
  it('is read as any', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 20 }), (text) => {
        expect(parseStrictJson(text)).toEqual(JSON.parse(text))
      }),
    )
  })

  it('is never anything that JSON.parse does not take', () => {
    const pieces = fc.array(fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '\\', '"a"', '"b"', '1', ' ', 'null'))
    fc.assert(
      fc.property(
        pieces.map((parts) => parts.join('')),
        (text) => {
          let value: unknown
          try {
            value = parseStrictJson(text)
          } catch {
            return
          }
          expect(value).toEqual(JSON.parse(text))
        },
      ),
    )
  })

  it('has no member twice, however deep and however written', () => {
    fc.assert(
      fc.property(fc.string(), fc.json(), fc.nat(30), fc.boolean(), (name, inner, depth, escaped) => {
        const first = JSON.stringify(name)
        const again = escaped ? `"${[...Array(name.length).keys()].map((at) => unit(name, at)).join('')}"` : first
        const text = `${'['.repeat(depth)}{${first}:1,"${name.length}-other":${inner},${again}:2}${']'.repeat(depth)}`
        expect(() => parseStrictJson(text)).toThrow(/twice|deeply/)
      }),
    )
  })

  it.each([
    [32, true],
    [33, false],
  ])('is nested %i levels: %s', (depth, good) => {
    const text = `${'['.repeat(depth)}${']'.repeat(depth)}`
    if (good) expect(parseStrictJson(text)).toBeDefined()
    else expect(() => parseStrictJson(text)).toThrow('nested too deeply')
  })

  it.each(['hunter2', '{"a":hunter2}', '"hunter2', '{"hunter2\\x":1}'])('shows nothing of %s', (text) => {
    expect(() => parseStrictJson(text)).toThrow(/^not valid JSON$/)
  })
})

function unit(text: string, at: number): string {
  return `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`
}

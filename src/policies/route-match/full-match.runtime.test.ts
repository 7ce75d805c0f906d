// Which expressions are taken, and what they match.
import { describe, expect, it } from 'vitest'

import { compileFullMatch } from './full-match.runtime.ts'

describe('a regular expression', () => {
  it.each([
    ['a|b', 'b', true],
    ['a|b', 'ab', false],
    ['/v[0-9]+', '/v1/x', false],
    ['', '', true],
    ['', 'a', false],
    ['abc', 'aBC', false],
    ['a.b', 'a\nb', false],
    [String.raw`/\d+\.\d+\-x`, '/1.2-x', true],
    [String.raw`[\]:(?=]+`, ']:(?=', true],
    ['[:a]+', ':a', true],
    [String.raw`\(\?=`, '(?=', true],
    ['(?:a|b){2}', 'ab', true],
  ])('%s on %j: %s', (expression, text, expected) => {
    expect(compileFullMatch(expression)(text)).toBe(expected)
  })

  it.each(['(', 'a)(?:b', '[', '*', '(?i)a', 'a{2,1}'])('is not %s', (expression) => {
    expect(() => compileFullMatch(expression)).toThrow(`not a regular expression: ${JSON.stringify(expression)}`)
  })

  it.each([
    String.raw`(a)\1`,
    String.raw`(?<x>a)\k<x>`,
    '(?=a)a',
    '(?!a)b',
    '(?<=a)b',
    '(?<!a)b',
    '[[:alpha:]]+',
    '[a[:^digit:]]+',
    String.raw`\pL+`,
    String.raw`[a\pL]+`,
    String.raw`\Aabc\z`,
    String.raw`\Q(\E`,
  ])('refuses %s, which RE2 refuses or V8 reads differently', (expression) => {
    expect(() => compileFullMatch(expression)).toThrow('not supported in a regular expression')
  })
})

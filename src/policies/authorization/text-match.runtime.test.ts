import { describe, expect, it } from 'vitest'

import { compileTemplate, compileText } from './text-match.runtime.ts'

describe('a text', () => {
  it.each([
    ['exact', 'Ab', false, 'Ab', true],
    ['exact', 'Ab', false, 'ab', false],
    ['exact', 'Ab', true, 'aB', true],
    ['prefix', 'Ab', false, 'Abc', true],
    ['prefix', 'Ab', true, 'aBC', true],
    ['suffix', 'Ab', false, 'xAb', true],
    ['suffix', 'Ab', true, 'xab', true],
    ['contains', 'Ab', false, 'xAbx', true],
    ['contains', 'Ab', true, 'xaBx', true],
    ['contains', 'Ab', false, 'xabx', false],
  ] as const)('%s %s (any case: %s) on %s: %s', (kind, value, ignoreCase, text, expected) => {
    expect(compileText({ kind, value, ignoreCase })(text)).toBe(expected)
  })

  it('is present when it is not empty', () => {
    expect(compileText({ kind: 'present' })('x')).toBe(true)
    expect(compileText({ kind: 'present' })('')).toBe(false)
  })

  it('matches a regular expression as a whole', () => {
    expect(compileText({ kind: 'regex', value: 'a|b' })('b')).toBe(true)
    expect(compileText({ kind: 'regex', value: 'a|b' })('ab')).toBe(false)
    expect(() => compileText({ kind: 'regex', value: '(' })).toThrow('not a regular expression')
  })
})

describe('a path template', () => {
  it.each([
    ['/a', '/a', true],
    ['/a', '/a/', false],
    ['/*', '/a', true],
    ['/*', '/', false],
    ['/*/', '/a/', true],
    ['/*/', '/a', false],
    ['/a/*/c', '/a/b/c', true],
    ['/a/*/c', '/a/b/d', false],
    ['/a/*/c', '/a/b/cc', false],
    ['/**', '/', true],
    ['/**', '/a/b', true],
    ['/a/**', '/a', false],
    ['/a/**/', '/a/b/', true],
    ['/a/**/', '/a/', false],
    ['/*/**/c', '/a/b/b/c', true],
    ['/*/**/c', '/a//c', true],
    ['/*/**/c', '/a/c', false],
  ])('%s on %s: %s', (template, path, expected) => {
    expect(compileTemplate(template)(path)).toBe(expected)
  })
})

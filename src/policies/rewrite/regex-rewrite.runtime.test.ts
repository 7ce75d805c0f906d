import { describe, expect, it } from 'vitest'

import { HeaderList } from '../../core/header-list.ts'
import { compileRegexRewrite } from './regex-rewrite.runtime.ts'
import { compilePathModifier, compileRewrite } from './rewrite.runtime.ts'

const any = { kind: 'prefix', value: '/' } as const

function path(pattern: string, substitution: string, before: string): string | undefined {
  return compilePathModifier({ kind: 'regex', pattern, substitution }, any)?.(before)
}

describe('a rewrite by regular expression', () => {
  it.each([
    ['^/v1/(.*)$', String.raw`/v2/\1`, '/v1/a?q=/v1/', '/v2/a?q=/v1/'],
    ['^/v1/(.*)$', String.raw`/v2/\1`, '/other?q', '/other?q'],
    ['/a', '/b', '/a/a?x=/a', '/b/b?x=/a'],
    ['^/x$', String.raw`\0\0\\`, '/x', String.raw`/x/x\\`.slice(0, 5)],
    ['^/(a)|(b)$', String.raw`/[\1|\2]`, '/a', '/[a|]'],
    ['^/(.*)$', String.raw`/x?u=\1`, '/ann?v=1', '/x?u=ann&v=1'],
    ['^/(.*)$', String.raw`/x?u=\1`, '/ann?', '/x?u=ann?'],
    ['^/', '', '/a', '/a'],
  ])('of %s by %s makes of %s %s', (pattern, substitution, before, after) => {
    expect(path(pattern, substitution, before)).toBe(after)
  })

  it.each([
    ['(', '', 'not a regular expression'],
    ['(?=a)', '', 'not supported in a regular expression'],
    ['(a)', String.raw`\2`, 'has a group that'],
    ['a', String.raw`\x`, 'is no substitution'],
  ])('refuses %s with %s', (pattern, substitution, reason) => {
    expect(() => compileRegexRewrite({ pattern, substitution })).toThrow(reason)
  })
})

function authority(before: string): string {
  const request = {
    method: 'GET',
    scheme: 'http' as const,
    authority: 'a:80',
    path: before,
    headers: new HeaderList(),
  }
  const hostPattern = { pattern: '^/([^/]+)/.*$', substitution: String.raw`\1.example` }
  compileRewrite({ hostPattern, path: { kind: 'full', value: '/x' } }, any)(request)
  expect(request.path).toMatch(/^\/x/)
  return request.authority
}

describe('a host made of the path', () => {
  it('replaces the authority', () => {
    expect(authority('/eu-1/b?q')).toBe('eu-1.example')
  })

  it.each(['/b', '/a%2fb/c', '/A/c', '/-/c', '/a@b/c'])('is left out where %s does not make one', (before) => {
    expect(authority(before)).toBe('a:80')
  })
})

// Rewrites of path and authority; the first table is the one at HTTPPathModifier.replacePrefixMatch.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { HeaderList } from '../../core/header-list.ts'
import type { PathMatchSpec } from '../route-match/route-match.spec.ts'
import { compilePathModifier, compileRewrite } from './rewrite.runtime.ts'

function replacePrefix(path: string, prefix: string, value: string): string | undefined {
  return compilePathModifier({ kind: 'prefix', value }, { kind: 'prefix', value: prefix })?.(path)
}

function replaceFull(path: string, value: string): string | undefined {
  return compilePathModifier({ kind: 'full', value }, { kind: 'prefix', value: '/' })?.(path)
}

describe('a prefix rewrite', () => {
  it.each([
    ['/foo/bar', '/foo', '/xyz', '/xyz/bar'],
    ['/foo/bar', '/foo', '/xyz/', '/xyz/bar'],
    ['/foo/bar', '/foo/', '/xyz', '/xyz/bar'],
    ['/foo/bar', '/foo/', '/xyz/', '/xyz/bar'],
    ['/foo', '/foo', '/xyz', '/xyz'],
    ['/foo/', '/foo', '/xyz', '/xyz/'],
    ['/foo/bar', '/foo', '', '/bar'],
    ['/foo/', '/foo', '', '/'],
    ['/foo', '/foo', '', '/'],
    ['/foo/', '/foo', '/', '/'],
    ['/foo', '/foo', '/', '/'],
  ])('makes of %s, matched by %s and replaced by "%s", %s', (path, prefix, value, expected) => {
    expect(replacePrefix(path, prefix, value)).toBe(expected)
  })

  it.each([
    ['/foo/bar', '/', '/xyz', '/xyz/foo/bar'],
    ['/foo', '/foo/', '/xyz', '/xyz'],
    ['/foo?q=/foo', '/foo', '/xyz', '/xyz?q=/foo'],
    ['/foo/bar?', '/foo', '/xyz', '/xyz/bar?'],
    ['/foo?q', '/foo', '/', '/?q'],
    ['/foo/foo', '/foo', '/', '/foo'],
  ])('also of %s, matched by %s and replaced by "%s", %s', (path, prefix, value, expected) => {
    expect(replacePrefix(path, prefix, value)).toBe(expected)
  })

  it('replaces all of a path that was not matched by prefix', () => {
    const match: PathMatchSpec = { kind: 'exact', value: '/a/b' }
    expect(compilePathModifier({ kind: 'prefix', value: '/c' }, match)?.('/a/b?q')).toBe('/c?q')
  })

  it('puts back what it took away', () => {
    const elements = fc.array(fc.stringMatching(/^[a-z0-9]{1,5}$/), { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(elements, elements, elements, fc.constantFrom('', '?', '?x=/y'), (a, b, rest, query) => {
        const [from, to, tail] = [a, b, rest].map((list) => `/${list.join('/')}`) as [string, string, string]
        const there = replacePrefix(`${from}${tail}${query}`, from, to)
        expect(there).toBe(`${to}${tail}${query}`)
        expect(replacePrefix(there ?? '', to, from)).toBe(`${from}${tail}${query}`)
      }),
    )
  })
})

describe('a full rewrite', () => {
  it('keeps the query only', () => {
    expect(replaceFull('/full/one/two', '/one')).toBe('/one')
    expect(replaceFull('/full/one?x=1', '/one')).toBe('/one?x=1')
    expect(replaceFull('/full', '')).toBe('/')
  })
})

it('a rewritten path keeps to one request target', () => {
  const request = { method: 'GET', scheme: 'http' as const, authority: 'a', path: '/x?q', headers: new HeaderList() }
  compileRewrite({ path: { kind: 'full', value: '/a b\r\nX: yä' } }, { kind: 'prefix', value: '/' })(request)
  expect(request.path).toBe('/a%20b%0D%0AX:%20y%C3%A4?q')
})

describe('a hostname rewrite', () => {
  it('refuses what could not be sent', () => {
    expect(() => compileRewrite({ hostname: 'a\r\nX: y' }, { kind: 'prefix', value: '/' })).toThrow(/not a host/)
  })

  it('replaces the authority with its port', () => {
    const request = {
      method: 'GET',
      scheme: 'http' as const,
      authority: 'a:8080',
      path: '/x',
      headers: new HeaderList(),
    }
    compileRewrite({ hostname: 'one.example' }, { kind: 'prefix', value: '/' })(request)
    expect(request).toMatchObject({ authority: 'one.example', path: '/x' })
  })
})

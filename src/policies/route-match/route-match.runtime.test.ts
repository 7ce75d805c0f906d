// Matching of paths, methods, headers and query parameters as Gateway API words it.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import type { RequestHead } from '../../contracts/http-message.ts'
import { HeaderList } from '../../core/header-list.ts'
import { compileRouteMatch, createMatchInput } from './route-match.runtime.ts'
import type { PathMatchSpec, RouteMatchSpec, ValueMatchSpec } from './route-match.spec.ts'

const anyPath: PathMatchSpec = { kind: 'prefix', value: '/' }

function request(path: string, ...headers: [string, string][]): RequestHead {
  return { method: 'GET', scheme: 'http', authority: 'a.example:80', path, headers: HeaderList.of(...headers) }
}

function matches(spec: Partial<RouteMatchSpec>, head: RequestHead): boolean {
  return compileRouteMatch({ path: anyPath, headers: [], queryParams: [], ...spec })(createMatchInput(head))
}

function matchesPath(kind: PathMatchSpec['kind'], value: string, path: string): boolean {
  return matches({ path: { kind, value } }, request(path))
}

function matchesAnimal(query: string, value = 'whale', kind: ValueMatchSpec['kind'] = 'exact'): boolean {
  return matches({ queryParams: [{ name: 'animal', kind, value }] }, request(`/${query}`))
}

describe('the path', () => {
  it.each([
    ['/abc', '/abc', true],
    ['/abc', '/abc/', false],
    ['/abc', '/abc?x=1', true],
    ['/abc', '/ABC', false],
    ['/', '/', true],
    ['/a%20b', '/a%20b', true],
  ])('exact %s on %s: %s', (value, path, expected) => {
    expect(matchesPath('exact', value, path)).toBe(expected)
  })

  it.each([
    ['/abc', '/abc', true],
    ['/abc', '/abc/', true],
    ['/abc', '/abc/def', true],
    ['/abc', '/abc?x', true],
    ['/abc', '/abcd', false],
    ['/abc', '/ab', false],
    ['/abc/', '/abc', false],
    ['/abc/', '/abc/', true],
    ['/abc/', '/abc/def', true],
    ['/abc/', '/abcd', false],
    ['/', '/', true],
    ['/', '/anything', true],
    ['/', '*', true],
  ])('prefix %s on %s: %s', (value, path, expected) => {
    expect(matchesPath('prefix', value, path)).toBe(expected)
  })

  it.each([
    ['/v[0-9]+', '/v12', true],
    ['/v[0-9]+', '/v12/x', false],
    ['/v[0-9]+', '/x/v12', false],
    ['/v[0-9]+', '/v12?q=/', true],
    ['/a|/b', '/b', true],
    ['/a|/b', '/ab', false],
    ['/a|/b', '/a/b', false],
    ['^/a$', '/a', true],
    ['/a.*', '/a\n', false],
  ])('regex %s on %j: %s', (value, path, expected) => {
    expect(matchesPath('regex', value, path)).toBe(expected)
  })

  it('takes a prefix for whole elements, whatever they are', () => {
    const element = fc.stringMatching(/^[a-z0-9._~-]{1,8}$/)
    fc.assert(
      fc.property(fc.array(element, { minLength: 1, maxLength: 4 }), fc.array(element, { maxLength: 4 }), (a, b) => {
        const prefix = `/${a.join('/')}`
        expect(matchesPath('prefix', prefix, `/${[...a, ...b].join('/')}`)).toBe(true)
        expect(matchesPath('prefix', prefix, `${prefix}x`)).toBe(false)
        expect(matchesPath('prefix', `${prefix}/`, `${prefix}/${b.join('/')}`)).toBe(true)
        expect(matchesPath('prefix', `${prefix}/`, prefix)).toBe(false)
      }),
    )
  })
})

describe('the method', () => {
  it('must be the one given, in that case', () => {
    expect(matches({ method: 'GET' }, request('/'))).toBe(true)
    expect(matches({ method: 'POST' }, request('/'))).toBe(false)
    expect(matches({ method: 'GET' }, { ...request('/'), method: 'get' })).toBe(false)
  })
})

describe('headers', () => {
  const version: ValueMatchSpec = { name: 'version', kind: 'exact', value: 'two' }

  it.each([
    ['the value', [['version', 'two']], true],
    ['the name in another case', [['VeRsIoN', 'two']], true],
    ['the value in another case', [['version', 'Two']], false],
    ['another value', [['version', 'three']], false],
    ['a longer value', [['version', 'twofold']], false],
    ['no such header', [['versions', 'two']], false],
    [
      'repeated lines, which are one joined value',
      [
        ['version', 'two'],
        ['version', 'three'],
      ],
      false,
    ],
  ] as [string, [string, string][], boolean][])('exact on %s', (_, lines, expected) => {
    expect(matches({ headers: [version] }, request('/', ...lines))).toBe(expected)
  })

  it('joins repeated lines with a comma and no space', () => {
    const spec = { ...version, value: 'two,three' }
    expect(matches({ headers: [spec] }, request('/', ['version', 'two'], ['x', 'y'], ['Version', 'three']))).toBe(true)
  })

  it('matches the whole value by regular expression', () => {
    const spec: ValueMatchSpec = { name: 'version', kind: 'regex', value: 'tw.|three' }
    expect(matches({ headers: [spec] }, request('/', ['version', 'two']))).toBe(true)
    expect(matches({ headers: [spec] }, request('/', ['version', 'twofold']))).toBe(false)
    expect(matches({ headers: [spec] }, request('/'))).toBe(false)
  })

  it('takes an empty value as present', () => {
    expect(matches({ headers: [{ ...version, value: '' }] }, request('/', ['version', '']))).toBe(true)
    expect(matches({ headers: [{ ...version, value: '' }] }, request('/'))).toBe(false)
  })

  it('knows Host as the authority', () => {
    const spec: ValueMatchSpec = { name: 'host', kind: 'exact', value: 'a.example:80' }
    expect(matches({ headers: [spec] }, request('/'))).toBe(true)
  })
})

describe('query parameters', () => {
  it.each([
    ['?animal=whale', true],
    ['?x=1&animal=whale&y=2', true],
    ['?animal=Whale', false],
    ['?Animal=whale', false],
    ['?animal=whales', false],
    ['?animals=whale', false],
    ['?animal', false],
    ['?', false],
    ['', false],
    ['?=whale', false],
    ['?animal=%77hale', true],
    ['?%61nimal=whale', true],
    ['?animal=whale&animal=dolphin', true],
    ['?animal=dolphin&animal=whale', false],
    ['?x=animal=whale', false],
    ['?&&animal=whale', true],
  ])('exact on %j: %s', (query, expected) => {
    expect(matchesAnimal(query)).toBe(expected)
  })

  it('reads "+" and %20 as a space, and leaves broken escapes alone', () => {
    expect(matchesAnimal('?animal=blue+whale', 'blue whale')).toBe(true)
    expect(matchesAnimal('?animal=blue%20whale', 'blue whale')).toBe(true)
    expect(matchesAnimal('?animal=%zz', '%zz')).toBe(true)
    expect(matchesAnimal('?animal=a=b', 'a=b')).toBe(true)
  })

  it('matches by regular expression on the whole value', () => {
    expect(matchesAnimal('?animal=whale', 'wh.*', 'regex')).toBe(true)
    expect(matchesAnimal('?animal=awhale', 'wh.*', 'regex')).toBe(false)
  })

  it('finds what URLSearchParams wrote', () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1 })
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text), { minLength: 1 }), (pairs) => {
        const query = new URLSearchParams(pairs).toString()
        const [name, value] = pairs[0] as [string, string]
        expect(matches({ queryParams: [{ name, kind: 'exact', value }] }, request(`/?${query}`))).toBe(true)
      }),
    )
  })
})

describe('several parts', () => {
  it('must all match', () => {
    const spec: Partial<RouteMatchSpec> = {
      path: { kind: 'prefix', value: '/path4' },
      method: 'GET',
      headers: [{ name: 'version', kind: 'exact', value: 'three' }],
      queryParams: [{ name: 'animal', kind: 'exact', value: 'kraken' }],
    }
    expect(matches(spec, request('/path4?animal=kraken', ['version', 'three']))).toBe(true)
    expect(matches(spec, request('/path4?animal=kraken'))).toBe(false)
    expect(matches(spec, request('/path4', ['version', 'three']))).toBe(false)
    expect(matches(spec, request('/?animal=kraken', ['version', 'three']))).toBe(false)
  })
})

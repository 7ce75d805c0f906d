import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { createMatchInput, compileRouteMatch } from '../route-match/route-match.runtime.ts'
import { defaultPaths, normalizePath } from './path-normalization.runtime.ts'
import type { PathNormalizationSpec } from './path-normalization.spec.ts'

const spec = (changes: Partial<PathNormalizationSpec>): PathNormalizationSpec => ({ ...defaultPaths, ...changes })

describe('a path', () => {
  const cases: Record<string, string | undefined> = {
    '/': '/',
    '/a/b/c': '/a/b/c',
    '/a/./b': '/a/b',
    '/a/../b': '/b',
    '/a/b/..': '/a/',
    '/a/b/.': '/a/b/',
    '/..': '/',
    '/../../../etc': '/etc',
    '/public/../admin': '/admin',
    '/public/%2e%2e/admin': '/admin',
    '/public/%2E./admin': '/admin',
    '/public/.%2e/admin': '/admin',
    '/public/%2e%2e%2fadmin': undefined,
    '/public/%252e%252e/admin': '/public/%252e%252e/admin',
    '/public\\..\\admin': '/admin',
    '/\\evil': '//evil',
    '/public/..%5cadmin': undefined,
    '/public/x%2f..': undefined,
    '/public/..x%2fadmin': '/public/..x%2Fadmin',
    '/public/..;/admin': undefined,
    '/public/..;x=1/admin': undefined,
    '/public/%2e%2e;/admin': undefined,
    '/public/..%3b/admin': undefined,
    '/a;v=1/b;w': '/a;v=1/b;w',
    '/a%00': undefined,
    '/a%': undefined,
    '/a%4': undefined,
    '/a%zz': undefined,
    '/a%u002e': undefined,
    '/%61%7E%2d%5f%7e%41%39': '/a~-_~A9',
    '/%c3%a4%3a%3F': '/%C3%A4%3A%3F',
    '/a//b': '/a//b',
    '/a//../b': '/a/b',
    '/.well-known/x': '/.well-known/x',
    '/...': '/...',
    '/..a/.b': '/..a/.b',
    '/a?b=/../%2e%00\\': '/a?b=/../%2e%00\\',
    '/a/..?b=/../%2e%00': '/?b=/../%2e%00',
    '*': '*',
    '': '',
  }
  for (const [path, expected] of Object.entries(cases)) {
    it(`${JSON.stringify(path)} is ${expected ?? 'refused'}`, () =>
      expect(normalizePath(path, defaultPaths)).toBe(expected))
  }

  it('has its slashes merged when that is wanted', () => {
    const merging = spec({ mergeSlashes: true })
    expect(normalizePath('//a///b//?x=//', merging)).toBe('/a/b/?x=//')
    expect(normalizePath('//a//b', spec({ mergeSlashes: true, normalize: false }))).toBe('/a/b')
    expect(normalizePath('/\\/a', merging)).toBe('/a')
  })

  it('has escaped slashes refused or decoded when that is wanted', () => {
    const reject = spec({ escapedSlashes: 'reject' })
    expect(normalizePath('/a%2fb', reject)).toBeUndefined()
    expect(normalizePath('/a%5Cb', reject)).toBeUndefined()
    expect(normalizePath('/a%252fb?%2f', reject)).toBe('/a%252fb?%2f')
    const decoding = spec({ escapedSlashes: 'decode' })
    expect(normalizePath('/public/..%2Fadmin', decoding)).toBe('/admin')
    expect(normalizePath('/public/..%5cadmin', decoding)).toBe('/admin')
    expect(normalizePath('/a%5cb', spec({ escapedSlashes: 'decode', normalize: false }))).toBe('/a\\b')
  })

  it('stays as it came when nothing is wanted', () => {
    const off = spec({ normalize: false })
    for (const path of ['/a/../b', '/%61', '/a%00', '/a\\b', '/%zz', '//a', '/..;/']) {
      expect(normalizePath(path, off)).toBe(path)
    }
  })
})

describe('any path', () => {
  const piece = fc.constantFrom(
    '/',
    '.',
    '..',
    '%2e',
    '%2E',
    '%2f',
    '%5c',
    '\\',
    '//',
    ';',
    '%25',
    '2e',
    '%00',
    '%',
    'a',
    'B',
    '%61',
    '%3b',
    '~',
    '?',
    'admin',
    '%c3%a4',
  )
  const path = fc.array(piece, { maxLength: 14 }).map((pieces) => `/${pieces.join('')}`)
  const anySpec = fc.record({
    normalize: fc.constant(true),
    mergeSlashes: fc.boolean(),
    escapedSlashes: fc.constantFrom('keep', 'reject', 'decode'),
  }) as fc.Arbitrary<PathNormalizationSpec>

  it('is in its one spelling after one pass', () => {
    fc.assert(
      fc.property(path, anySpec, (received, how) => {
        const once = normalizePath(received, how)
        if (once === undefined) return
        expect(normalizePath(once, how)).toBe(once)
      }),
      { numRuns: 2_000 },
    )
  })

  it('holds nothing that climbs, and keeps its query', () => {
    fc.assert(
      fc.property(path, anySpec, (received, how) => {
        const once = normalizePath(received, how)
        if (once === undefined) return
        const [clean = ''] = once.split('?', 1)
        expect(clean).toMatch(/^\//)
        expect(clean).not.toMatch(/\/\.\.?(?:\/|;|%3b|$)|\\|%00|%2e/i)
        if (how.mergeSlashes) expect(clean).not.toContain('//')
        const mark = received.indexOf('?')
        expect(once.slice(clean.length)).toBe(mark === -1 ? '' : received.slice(mark))
      }),
      { numRuns: 2_000 },
    )
  })

  it('is where an application finds it that resolves it as a URL', () => {
    const admin = compileRouteMatch({ path: { kind: 'prefix', value: '/admin' }, headers: [], queryParams: [] })
    const matches = (at: string): boolean =>
      admin(createMatchInput({ method: 'GET', scheme: 'http', authority: 'a', path: at, headers: undefined as never }))
    fc.assert(
      fc.property(path, (received) => {
        const once = normalizePath(received, defaultPaths)
        // "//host" is a relative reference with an authority: the URL parser is given an origin so that it is a path.
        if (once !== undefined) expect(matches(new URL(`http://a${once}`).pathname)).toBe(matches(once))
      }),
      { numRuns: 2_000 },
    )
  })
})

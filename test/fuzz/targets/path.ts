// Path normalisation: one spelling after one pass, nothing that climbs, the query untouched.
import assert from 'node:assert/strict'

import { normalizePath } from '../../../src/policies/path-normalization/path-normalization.runtime.ts'
import type { FuzzTarget } from '../fuzz-target.ts'

const seeds = [
  '/',
  '/a/b/c?d=e',
  '/public/../admin',
  '/public/%2e%2e/admin',
  '/a/.%2e%2fb',
  '/%252e%252e/x',
  '/\\..\\a',
  '//a//b',
  '/a%00',
  '/..;/a',
  '/a/..%3b/b',
  '/%61%7e',
  '/a?b=/../',
  '/.well-known/x',
  '/a/./',
  '/%c3%a4/%e2%80%8b',
  '/...//..',
]

export const pathTarget: FuzzTarget = {
  name: 'path',
  seeds: seeds.map((seed) => Buffer.from(seed)),
  runs: 20_000,
  check(input) {
    const path = input.toString('latin1')
    for (const escapedSlashes of ['keep', 'reject', 'decode'] as const) {
      for (const mergeSlashes of [false, true]) {
        const spec = { normalize: true, mergeSlashes, escapedSlashes }
        const once = normalizePath(path, spec)
        if (once === undefined) continue
        assert.equal(normalizePath(once, spec), once, 'not in its one spelling after one pass')
        if (!path.startsWith('/')) continue
        const mark = path.indexOf('?')
        const clean = mark === -1 ? once : once.slice(0, once.indexOf('?'))
        assert.equal(once.slice(clean.length), mark === -1 ? '' : path.slice(mark))
        // A URL parser resolves the same path, but it does not know of backslashes in this place, nor of our spellings of escapes.
        if (escapedSlashes === 'keep' && !mergeSlashes && /^[!-"$-~]+$/.test(path)) {
          const resolved = new URL(`http://a${mark === -1 ? path : path.slice(0, mark)}`).pathname
          assert.equal(spelling(clean), spelling(resolved))
        }
        assert.doesNotMatch(clean, /\/\.\.?(?:\/|;|%3b|$)|\\|%00|%2e|%(?![0-9A-F]{2})/i)
      }
    }
  },
}

function spelling(path: string): string {
  return path.replace(/%[0-9a-f]{2}/gi, (escape) => {
    const character = String.fromCharCode(Number.parseInt(escape.slice(1), 16))
    return /[!-$&-~]/.test(character) && !'/\\'.includes(character) ? character : escape.toUpperCase()
  })
}

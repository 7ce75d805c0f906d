import { describe, expect, it } from 'vitest'

import { candidates, parseAuthority } from './authority.ts'

const searchDomains = ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local']
const namesOf = (authority: string): readonly string[] => {
  const parsed = parseAuthority(authority, 80)
  return parsed === undefined ? [] : candidates(parsed, searchDomains)
}

describe('an authority', () => {
  it.each([
    ['reviews', 'reviews', 80],
    ['Reviews:9080', 'reviews', 9080],
    ['127.0.0.1:1', '127.0.0.1', 1],
    ['[::1]:8080', '::1', 8080],
  ])('%s', (text, host, port) => {
    expect(parseAuthority(text, 80)).toEqual({ host, port })
  })

  it.each(['', ':80', 'a:0', 'a:65536', 'a:b', 'a:80:80', '[::1'])('%j is none', (text) => {
    expect(parseAuthority(text, 80)).toBeUndefined()
  })
})

describe('names that may be meant', () => {
  it('short ones are searched first', () => {
    expect(namesOf('reviews')).toEqual([
      'reviews.default.svc.cluster.local:80',
      'reviews.svc.cluster.local:80',
      'reviews.cluster.local:80',
      'reviews:80',
    ])
    expect(namesOf('reviews.other:9080')[1]).toBe('reviews.other.svc.cluster.local:9080')
  })

  it('full ones are taken as they stand first', () => {
    expect(namesOf('reviews.default.svc.cluster.local')[0]).toBe('reviews.default.svc.cluster.local:80')
    expect(namesOf('a.b.c.d.example')[0]).toBe('a.b.c.d.example:80')
  })

  it('a final dot and an address leave no choice', () => {
    expect(namesOf('reviews.')).toEqual(['reviews:80'])
    expect(namesOf('10.0.0.1')).toEqual(['10.0.0.1:80'])
    expect(namesOf('[::1]')).toEqual(['::1:80'])
  })
})

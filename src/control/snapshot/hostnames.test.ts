import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { compareSpecificity, coversHostname, intersectHostnames } from './hostnames.ts'

const label = fc.constantFrom('a', 'b', 'shop', 'example')
const hostname = fc
  .tuple(fc.constantFrom('', '*.'), fc.array(label, { minLength: 1, maxLength: 4 }))
  .map(([wildcard, labels]) => `${wildcard}${labels.join('.')}`)

describe('intersectHostnames', () => {
  it.each([
    ['*', 'a.example', 'a.example'],
    ['*.example', 'a.example', 'a.example'],
    ['*.example', 'a.b.example', 'a.b.example'],
    ['*.example', '*.a.example', '*.a.example'],
    ['*.example', 'example', undefined],
    ['*.example', 'a.other', undefined],
    ['a.example', 'b.example', undefined],
    ['*.example', 'aexample', undefined],
  ])('of %s and %s is %s', (a, b, expected) => {
    expect(intersectHostnames(a, b)).toBe(expected)
    expect(intersectHostnames(b, a)).toBe(expected)
  })

  it('is covered by both', () => {
    fc.assert(
      fc.property(hostname, hostname, (a, b) => {
        const both = intersectHostnames(a, b)
        if (both === undefined) return
        expect(coversHostname(a, both) && coversHostname(b, both)).toBe(true)
      }),
    )
  })
})

describe('compareSpecificity', () => {
  it('puts what is covered before what covers it', () => {
    fc.assert(
      fc.property(hostname, hostname, (a, b) => {
        if (a !== b && coversHostname(a, b)) expect(compareSpecificity(b, a)).toBeLessThan(0)
      }),
    )
    expect(['*', '*.b.example', 'a.b', '*.example', 'a.b.example'].toSorted(compareSpecificity)).toEqual([
      'a.b.example',
      'a.b',
      '*.b.example',
      '*.example',
      '*',
    ])
  })
})

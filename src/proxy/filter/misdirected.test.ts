import { expect, it } from 'vitest'

import { isMisdirected } from './misdirected.ts'

const others = ['a.example.com', '*.b.example.com']

it.each([
  ['a.example.com', true],
  ['a.example.com:8443', true],
  ['x.b.example.com', true],
  ['y.x.b.example.com:443', true],
  ['b.example.com', false],
  ['.b.example.com', false],
  ['c.example.com', false],
  ['xa.example.com', false],
  ['[::1]:443', false],
  ['[::1]', false],
])('says whether %s belongs to another chain', (authority, misdirected) => {
  expect(isMisdirected(authority, others)).toBe(misdirected)
})

it('takes everything where no other chain is', () => {
  expect(isMisdirected('a.example.com', [])).toBe(false)
})

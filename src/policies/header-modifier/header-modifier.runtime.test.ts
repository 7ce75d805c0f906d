// Setting, adding and removing header lines.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { HeaderList } from '../../core/header-list.ts'
import { compileHeaderModifier } from './header-modifier.runtime.ts'
import type { HeaderModifierSpec } from './header-modifier.spec.ts'

function modified(spec: Partial<HeaderModifierSpec>, ...lines: [string, string][]): (readonly [string, string])[] {
  const headers = HeaderList.of(...lines)
  compileHeaderModifier({ set: [], add: [], remove: [], ...spec })?.(headers)
  return [...headers]
}

describe('a header modifier', () => {
  it('sets over every line there was, or anew', () => {
    const set = [{ name: 'X-A', value: 'new' }]
    expect(modified({ set }, ['x-a', '1'], ['x-b', '2'], ['X-A', '3'])).toEqual([
      ['X-A', 'new'],
      ['x-b', '2'],
    ])
    expect(modified({ set })).toEqual([['X-A', 'new']])
  })

  it('adds to the value there was, joined with a comma', () => {
    const add = [{ name: 'X-Header-Add', value: 'add-appends-values' }]
    expect(modified({ add }, ['x-header-add', 'this-value-should-be-appended'])).toEqual([
      ['X-Header-Add', 'this-value-should-be-appended,add-appends-values'],
    ])
    expect(modified({ add })).toEqual([['X-Header-Add', 'add-appends-values']])
    expect(modified({ add }, ['x-header-add', ''])).toEqual([['X-Header-Add', 'add-appends-values']])
  })

  it('gives an added cookie its own line', () => {
    const add = [{ name: 'Set-Cookie', value: 'b=2' }]
    expect(modified({ add }, ['set-cookie', 'a=1'])).toEqual([
      ['set-cookie', 'a=1'],
      ['Set-Cookie', 'b=2'],
    ])
  })

  it('removes in any case, and before it adds', () => {
    expect(modified({ remove: ['X-A'], add: [{ name: 'x-a', value: '2' }] }, ['x-A', '1'], ['b', '1'])).toEqual([
      ['b', '1'],
      ['x-a', '2'],
    ])
  })

  it.each(['Host', 'host', ':authority', ':path', 'Content-Length', 'Transfer-Encoding', 'Connection', 'TE'])(
    'leaves %s to the codec',
    (name) => {
      const lines: [string, string] = [name, '1']
      const spec = { set: [{ name, value: '2' }], add: [{ name, value: '3' }], remove: [name] }
      expect(modified(spec, lines)).toEqual([lines])
    },
  )

  it.each([
    ['a line break', 'x-a', 'v\r\nx-b: 1'],
    ['a NUL', 'x-a', 'v\0'],
    ['a blank at the end', 'x-a', 'v '],
    ['a wide character', 'x-a', '→'],
    ['a name that is none', 'x a', 'v'],
    ['an empty name', '', 'v'],
  ])('refuses %s', (_, name, value) => {
    expect(() => compileHeaderModifier({ set: [{ name, value }], add: [], remove: [] })).toThrow(/header/)
  })

  it('is nothing when there is nothing to change', () => {
    expect(compileHeaderModifier(undefined)).toBeUndefined()
    expect(compileHeaderModifier({ set: [], add: [], remove: ['host'] })).toBeUndefined()
  })

  it('touches no other line, and leaves exactly one of each it sets', () => {
    const name = fc.constantFrom('a', 'A', 'b', 'B', 'c')
    const line = fc.tuple(name, fc.constantFrom('1', '2', '3'))
    fc.assert(
      fc.property(
        fc.array(line),
        fc.array(line, { maxLength: 2 }),
        fc.array(name, { maxLength: 2 }),
        (lines, set, remove) => {
          const result = modified({ set: set.map(([n, value]) => ({ name: n, value })), remove }, ...lines)
          const setNames = new Set(set.map(([n]) => n.toLowerCase()))
          const changed = new Set([...setNames, ...remove.map((n) => n.toLowerCase())])
          const untouched = ([n]: readonly [string, string]): boolean => !changed.has(n.toLowerCase())
          expect(result.filter(untouched)).toEqual(lines.filter(untouched))
          for (const one of setNames) {
            const last = set.findLast(([n]) => n.toLowerCase() === one)?.[1]
            expect(result.filter(([n]) => n.toLowerCase() === one).map(([, value]) => value)).toEqual([last])
          }
        },
      ),
    )
  })
})

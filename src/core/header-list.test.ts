import { describe, expect, it } from 'vitest'

import { HeaderList } from './header-list.ts'

describe('HeaderList', () => {
  it('finds names whatever their case and joins repeated values', () => {
    const headers = HeaderList.of(['Accept', 'a'], ['X-One', '1'], ['accept', 'b'])
    expect(headers.get('ACCEPT')).toBe('a, b')
    expect(headers.get('x-one')).toBe('1')
    expect(headers.get('x-two')).toBeUndefined()
  })

  it('set replaces every line of the name by one, in the place of the first', () => {
    const headers = HeaderList.of(['a', '1'], ['b', '2'], ['A', '3'], ['c', '4'])
    headers.set('a', '9')
    expect([...headers]).toEqual([
      ['a', '9'],
      ['b', '2'],
      ['c', '4'],
    ])
    headers.set('d', '5')
    expect(headers.get('d')).toBe('5')
  })

  it('delete removes every line of the name and keeps the order of the others', () => {
    const headers = HeaderList.of(['a', '1'], ['b', '2'], ['A', '3'], ['c', '4'])
    headers.delete('A')
    expect([...headers]).toEqual([
      ['b', '2'],
      ['c', '4'],
    ])
    expect(headers.size).toBe(2)
  })

  it('a clone shares nothing', () => {
    const one = HeaderList.of(['a', '1'])
    const two = one.clone()
    two.set('a', '2')
    expect(one.get('a')).toBe('1')
  })
})

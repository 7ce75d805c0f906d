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

  describe('with received lines', () => {
    const text = 'GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nx-two: 2\r\nX-ONE: 3\r\n\r\n'

    function received(): HeaderList {
      const spans = ['Host: a', 'X-One: 1', 'x-two: 2', 'X-ONE: 3'].flatMap((line) => {
        const start = text.indexOf(line)
        const colon = start + line.indexOf(':')
        return [start, colon, colon + 2, start + line.length]
      })
      return HeaderList.received(text, spans, true)
    }

    it('finds, joins and passes them on as they are', () => {
      const headers = received()
      expect(headers.size).toBe(4)
      expect(headers.get('x-one')).toBe('1, 3')
      expect(headers.has('X-TWO')).toBe(true)
      expect(headers.has('x-tw')).toBe(false)
      expect(headers.receivedText()).toBe('Host: a\r\nX-One: 1\r\nx-two: 2\r\nX-ONE: 3\r\n')
    })

    it('leaves the others alone when some are deleted or added', () => {
      const headers = received()
      const before = headers.clone()
      headers.delete('x-one')
      headers.add('x-three', '3')
      expect(headers.receivedText()).toBe('Host: a\r\nx-two: 2\r\n')
      expect([...headers]).toEqual([
        ['Host', 'a'],
        ['x-two', '2'],
        ['x-three', '3'],
      ])
      expect(before.size).toBe(4)
      headers.delete('X-Three')
      expect(headers.size).toBe(2)
    })

    it('sets one, behind those that stay as they came', () => {
      const headers = received()
      const before = headers.clone()
      headers.set('x-one', '9')
      expect([...headers]).toEqual([
        ['Host', 'a'],
        ['x-two', '2'],
        ['x-one', '9'],
      ])
      headers.set('x-new', '1')
      expect(headers.get('x-new')).toBe('1')
      expect(before.get('x-one')).toBe('1, 3')
    })
  })
})

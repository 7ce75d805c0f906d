import { describe, expect, it } from 'vitest'

import { RingBuffer } from './ring-buffer.ts'
import { WatchableValue } from './watchable.ts'

describe('WatchableValue', () => {
  it('tells subscribers of changes only, until they leave', () => {
    const value = new WatchableValue(1)
    const seen: number[] = []
    const leave = value.subscribe((now) => seen.push(now))
    value.set(1)
    value.set(2)
    leave()
    value.set(3)
    expect(seen).toEqual([2])
    expect(value.value).toBe(3)
  })
})

describe('RingBuffer', () => {
  it('keeps the newest, oldest first', () => {
    const ring = new RingBuffer<number>(3)
    for (const n of [1, 2]) ring.push(n)
    expect(ring.toArray()).toEqual([1, 2])
    for (const n of [3, 4]) ring.push(n)
    expect(ring.toArray()).toEqual([2, 3, 4])
  })
})

import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../test/kit/manual-clock.ts'
import { Deadlined, DeadlineList } from './deadline-list.ts'

class Item extends Deadlined {
  readonly onExpired: () => void

  constructor(onExpired: () => void) {
    super()
    this.onExpired = onExpired
  }

  expired(): void {
    this.onExpired()
  }
}

describe('a list of deadlines', () => {
  it('calls each once, at its time, with one timer', () => {
    const clock = new ManualClock()
    const list = new DeadlineList(clock)
    const calls: string[] = []
    const startMs = clock.monotonicMs()
    for (const [name, afterMs] of [
      ['late', 300],
      ['soon', 100],
      ['between', 200],
    ] as const) {
      list.add(new Item(() => calls.push(name)), startMs + afterMs)
    }
    expect(clock.pendingCount).toBe(1)
    clock.advance(99)
    expect(calls).toEqual([])
    clock.advance(1)
    expect(calls).toEqual(['soon'])
    clock.advance(200)
    expect(calls).toEqual(['soon', 'between', 'late'])
    expect(clock.pendingCount).toBe(0)
  })

  it('forgets what is removed, first, last or between', () => {
    const clock = new ManualClock()
    const list = new DeadlineList(clock)
    const calls: number[] = []
    const items = Array.from({ length: 5 }, (_, n) => new Item(() => calls.push(n)))
    for (const item of items) list.add(item, clock.monotonicMs() + 10)
    for (const n of [0, 2, 4]) list.remove(items[n] as Item)
    list.remove(items[2] as Item)
    clock.advance(10)
    expect(calls.toSorted((a, b) => a - b)).toEqual([1, 3])
  })

  it('lets one that expires remove and add others', () => {
    const clock = new ManualClock()
    const list = new DeadlineList(clock)
    const calls: string[] = []
    const other = new Item(() => calls.push('other'))
    const again = new Item(() => calls.push('again'))
    list.add(other, clock.monotonicMs() + 10)
    list.add(
      new Item(() => {
        list.remove(other)
        list.add(again, clock.monotonicMs() + 10)
      }),
      clock.monotonicMs() + 10,
    )
    clock.advance(10)
    expect(calls).toEqual([])
    clock.advance(10)
    expect(calls).toEqual(['again'])
  })
})

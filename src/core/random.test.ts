import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../test/kit/manual-clock.ts'
import { backoffMs } from './backoff.ts'
import { sleep } from './clock.ts'
import { createRandom } from './random.ts'

describe('createRandom', () => {
  it('repeats itself for one seed and stays within bounds', () => {
    const one = createRandom(7)
    const two = createRandom(7)
    for (let i = 0; i < 1000; i++) {
      const drawn = one.next()
      expect(drawn).toBe(two.next())
      expect(drawn).toBeGreaterThanOrEqual(0)
      expect(drawn).toBeLessThan(1)
    }
    for (let i = 0; i < 1000; i++) expect(one.int(3)).toBeLessThan(3)
  })
})

describe('backoffMs', () => {
  it('grows to the maximum and never past it', () => {
    const always = { next: () => 0.999, int: () => 0 }
    const delays = [0, 1, 2, 10, 1000].map((attempt) => backoffMs({ baseMs: 100, maxMs: 1000 }, attempt, always))
    expect(delays.map(Math.round)).toEqual([100, 200, 400, 999, 999])
  })
})

describe('ManualClock', () => {
  it('runs timers in order of time as the test moves it', async () => {
    const clock = new ManualClock(0)
    const order: string[] = []
    clock.setTimer(20, () => order.push('late'))
    clock.setTimer(10, () => {
      order.push('early')
      clock.setTimer(5, () => order.push('between'))
    })
    clock.setTimer(15, () => order.push('never')).cancel()
    const slept = sleep(clock, 30)
    clock.advance(30)
    await slept
    expect(order).toEqual(['early', 'between', 'late'])
  })
})

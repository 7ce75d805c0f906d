import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { MovingDeadline } from './moving-deadline.ts'

describe('a moving deadline', () => {
  it('expires once, at the time last set, with few timers', () => {
    const clock = new ManualClock()
    let expired = 0
    const deadline = new MovingDeadline(clock, () => expired++)
    deadline.set(100)
    clock.advance(60)
    deadline.set(100)
    expect(clock.pendingCount).toBe(1)
    clock.advance(99)
    expect(expired).toBe(0)
    clock.advance(1)
    expect(expired).toBe(1)
    clock.advance(1_000)
    expect(expired).toBe(1)
  })

  it('can come nearer, be cleared and be cancelled', () => {
    const clock = new ManualClock()
    let expired = 0
    const deadline = new MovingDeadline(clock, () => expired++)
    deadline.set(1_000)
    deadline.set(10)
    clock.advance(10)
    expect(expired).toBe(1)
    deadline.set(10)
    deadline.clear()
    clock.advance(10)
    expect(expired).toBe(1)
    deadline.set(10)
    deadline.cancel()
    expect(clock.pendingCount).toBe(0)
  })
})

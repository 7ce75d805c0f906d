// Timers of the system's clock; what they wait for is Node's.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { systemClock } from './clock.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('a timer of the system', () => {
  it('waits for longer than Node can', () => {
    const days60Ms = 60 * 86_400_000
    const fired = vi.fn<() => void>()
    systemClock.setTimer(days60Ms, fired)
    vi.advanceTimersByTime(days60Ms - 1)
    expect(fired).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(fired).toHaveBeenCalledOnce()
  })

  it('is cancelled at any time', () => {
    const fired = vi.fn<() => void>()
    const timer = systemClock.setTimer(60 * 86_400_000, fired)
    vi.advanceTimersByTime(30 * 86_400_000)
    timer.cancel()
    vi.advanceTimersByTime(60 * 86_400_000)
    expect(fired).not.toHaveBeenCalled()
  })
})

import { expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { KeptRequests } from './tracing.runtime.ts'

it('keeps what is sampled, and else what failed or was slow, ten a second', () => {
  const clock = new ManualClock()
  const kept = new KeptRequests(clock)
  expect(kept.keeps(true, false, 1)).toBe(true)
  expect(kept.keeps(false, false, 999)).toBe(false)
  const taken = Array.from({ length: 20 }, (_, i) => kept.keeps(false, i % 2 === 0, 1_000))
  expect(taken.filter(Boolean)).toHaveLength(10)
  expect(kept.keeps(true, true, 1)).toBe(true)
  clock.advance(200)
  expect([1, 2, 3].map(() => kept.keeps(false, true, 1))).toEqual([true, true, false])
})

import { expect, it } from 'vitest'

import { ManualClock } from '../../test/kit/manual-clock.ts'
import { FailureLimit } from './failure-limit.ts'

it('lets so many failures a minute pass, and begins anew after it', () => {
  const clock = new ManualClock()
  const limit = new FailureLimit(clock, 2)
  expect([limit.failed(), limit.failed()]).toEqual([undefined, undefined])
  clock.advance(20_000)
  expect(limit.failed()).toBe(40_000)
  clock.advance(40_000)
  expect(limit.failed()).toBeUndefined()
})

import { expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { DeadlineList } from '../../core/deadline-list.ts'
import { WatchedRequest } from './watched-request.ts'

class Request extends WatchedRequest {
  progress = 0
  stalls = 0

  stalled(): void {
    this.stalls++
  }
}

const clock = new ManualClock()
const deadlines = new DeadlineList(clock)

function watched(timeoutMs: number): Request {
  const request = new Request()
  request.watch(clock, deadlines, timeoutMs)
  return request
}

/** Second by second, in which `moving` gets on. */
function pass(seconds: number, moving: Request): void {
  for (let second = 0; second < seconds; second++) {
    clock.advance(1_000)
    moving.progress++
  }
}

it('ends what has not moved for its time, and nothing else', () => {
  const still = watched(300_000)
  const moving = watched(300_000)
  const patient = watched(Infinity)
  pass(299, moving)
  expect(still.stalls).toBe(0)
  pass(32, moving)
  expect([still.stalls, moving.stalls, patient.stalls]).toEqual([1, 0, 0])
  clock.advance(3_600_000)
  expect([still.stalls, moving.stalls, patient.stalls]).toEqual([1, 1, 0])
})

it('looks more often where a shorter time is asked', () => {
  const slow = watched(300_000)
  const quick = watched(1_000)
  clock.advance(1_500)
  expect([slow.stalls, quick.stalls]).toEqual([0, 1])
  deadlines.remove(slow)
})

it('leaves no timer behind what is over', () => {
  deadlines.remove(watched(300_000))
  clock.advance(15_000)
  expect(clock.pendingCount).toBe(0)
})

import { expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { StallWatch, type WatchedRequest } from './stall-watch.ts'

class Request implements WatchedRequest {
  older: WatchedRequest | undefined
  newer: WatchedRequest | undefined
  progress = 0
  stallTimeoutMs: number
  stalls = 0
  readonly #watch: StallWatch

  constructor(watch: StallWatch, stallTimeoutMs: number) {
    this.#watch = watch
    this.stallTimeoutMs = stallTimeoutMs
    watch.add(this)
  }

  stalled(): void {
    this.stalls++
    this.#watch.remove(this)
  }
}

it('ends what has not moved for its time, and nothing else', () => {
  const clock = new ManualClock()
  const watch = new StallWatch(clock)
  const still = new Request(watch, 300_000)
  const moving = new Request(watch, 300_000)
  const patient = new Request(watch, Infinity)
  for (let waited = 0; waited < 299_000; waited += 1_000) {
    clock.advance(1_000)
    moving.progress++
  }
  expect(still.stalls).toBe(0)
  for (let waited = 0; waited < 32_000; waited += 1_000) {
    clock.advance(1_000)
    moving.progress++
  }
  expect([still.stalls, moving.stalls, patient.stalls]).toEqual([1, 0, 0])
  clock.advance(3_600_000)
  expect([still.stalls, moving.stalls, patient.stalls]).toEqual([1, 1, 0])
})

it('looks more often where a shorter time is asked', () => {
  const clock = new ManualClock()
  const watch = new StallWatch(clock)
  const slow = new Request(watch, 300_000)
  const quick = new Request(watch, 1_000)
  clock.advance(1_500)
  expect([slow.stalls, quick.stalls]).toEqual([0, 1])
})

it('has no timer while there is nothing to look at', () => {
  const clock = new ManualClock()
  const watch = new StallWatch(clock)
  const [first, middle, last] = [1, 2, 3].map(() => new Request(watch, 300_000)) as [Request, Request, Request]
  watch.remove(middle)
  watch.remove(middle)
  watch.remove(last)
  watch.remove(first)
  clock.advance(15_000)
  expect(clock.pendingCount).toBe(0)
  const again = new Request(watch, 300_000)
  clock.advance(330_000)
  expect([first.stalls, middle.stalls, last.stalls, again.stalls]).toEqual([0, 0, 0, 1])
  clock.advance(15_000)
  expect(clock.pendingCount).toBe(0)
})

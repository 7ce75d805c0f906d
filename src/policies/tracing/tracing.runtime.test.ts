import { expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { createRandom } from '../../core/random.ts'
import { ChosenRequests, standsOut } from './tracing.runtime.ts'

const ids = Array.from({ length: 500 }, (_, i) => `request-${i}`)

it('is for requests that failed or took a second', () => {
  expect([standsOut(true, 1), standsOut(false, 1_000), standsOut(false, 999)]).toEqual([true, true, false])
})

it('chooses all of few requests, some of many, and again in the next second', () => {
  const clock = new ManualClock()
  const requests = new ChosenRequests(clock)
  expect(ids.slice(0, 10).every((id) => requests.chooses(id))).toBe(true)
  const chosen = ids.filter((id) => requests.chooses(id)).length
  expect(chosen).toBeGreaterThanOrEqual(10)
  expect(chosen).toBeLessThanOrEqual(40)
  clock.advance(1_000)
  expect(requests.chooses('request-499')).toBe(true)
})

it('chooses no more than fifty, whatever ids callers make up', () => {
  const random = createRandom(1)
  const requests = new ChosenRequests(new ManualClock())
  const same = Array.from({ length: 1_000 }, () => requests.chooses('same')).filter(Boolean)
  expect(same).toHaveLength(50)
  const others = new ChosenRequests(new ManualClock())
  const made = Array.from({ length: 10_000 }, () => others.chooses(String(random.next()))).filter(Boolean)
  expect(made.length).toBeLessThanOrEqual(50)
})

it('chooses the same requests at every proxy that they pass', () => {
  const clock = new ManualClock()
  const [first, second, third] = [1, 2, 3].map(() => new ChosenRequests(clock))
  const kept = [first, second, third].map(() => new Set<string>())
  for (const id of ids) {
    if (first?.chooses(id) === true) kept[0]?.add(id)
    // received and sent on
    if (second?.chooses(id) === true && second.chooses(id)) kept[1]?.add(id)
    if (third?.chooses(id) === true) kept[2]?.add(id)
  }
  const [all, passed, last] = kept
  expect(last).toEqual(all)
  for (const id of passed ?? []) expect(all).toContain(id)
  // hops of its own use up the second's fifty sooner
  expect(passed?.size).toBeGreaterThanOrEqual(20)
})

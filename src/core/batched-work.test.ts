import { expect, it } from 'vitest'

import { ManualClock } from '../../test/kit/manual-clock.ts'
import { BatchedWork } from './batched-work.ts'

function batched() {
  const clock = new ManualClock()
  const work = new BatchedWork(clock)
  const done: number[] = []
  const add = (one: number): void => work.add(() => done.push(one))
  return { clock, work, done, add }
}

it('is done a tenth of a second later, in its order', () => {
  const { clock, done, add } = batched()
  add(1)
  clock.advance(50)
  add(2)
  expect(done).toEqual([])
  clock.advance(50)
  expect(done).toEqual([1, 2])
  add(3)
  clock.advance(100)
  expect(done).toEqual([1, 2, 3])
  expect(clock.pendingCount).toBe(0)
})

it('is done at once when there is much of it, or when somebody asks', () => {
  const { clock, work, done, add } = batched()
  for (let one = 0; one < 65; one++) add(one)
  expect(done).toHaveLength(64)
  work.flush()
  expect(done).toHaveLength(65)
  expect(clock.pendingCount).toBe(0)
})

it('goes on behind work that fails', () => {
  const { work, done, add } = batched()
  work.add(() => {
    throw new Error('no')
  })
  add(1)
  expect(() => work.flush()).toThrow('no')
  work.flush()
  expect(done).toEqual([1])
})

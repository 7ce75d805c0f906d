import * as fc from 'fast-check'
import { expect, it } from 'vitest'

import { VirtualClock } from './virtual-clock.ts'

it('runs timers in order of time, those of one time in the order in which they were set', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 300 }), async (delays) => {
      const clock = new VirtualClock()
      const seen: { readonly delayMs: number; readonly order: number }[] = []
      for (const [order, delayMs] of delays.entries())
        clock.setTimer(delayMs, () => {
          expect(clock.elapsedMs).toBe(delayMs)
          seen.push({ delayMs, order })
        })
      await clock.run(100)
      expect(seen).toEqual(seen.toSorted((a, b) => a.delayMs - b.delayMs || a.order - b.order))
      expect(seen).toHaveLength(delays.length)
    }),
  )
})

it('does not run what was cancelled, nor what comes after the end', async () => {
  const clock = new VirtualClock()
  const seen: string[] = []
  clock.setTimer(10, () => seen.push('cancelled')).cancel()
  clock.setTimer(30, () => seen.push('later'))
  clock.setTimer(20, () => seen.push('at the end'))
  await clock.run(20)
  expect(seen).toEqual(['at the end'])
  expect(clock.elapsedMs).toBe(20)
})

it('lets what waits for a promise run before the next event', async () => {
  const clock = new VirtualClock()
  const seen: string[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  void (async () => {
    await promise
    seen.push(`promised at ${clock.elapsedMs}`)
  })()
  clock.setTimer(1, () => {
    clock.settling()
    resolve()
  })
  clock.setTimer(2, () => seen.push('next'))
  await clock.run(5)
  expect(seen).toEqual(['promised at 1', 'next'])
})

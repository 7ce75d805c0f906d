import { describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { OnDemandNames } from './on-demand.ts'
import type { NameState } from './on-demand.ts'

function small() {
  const clock = new ManualClock()
  const states = new Map<string, NameState>()
  let changes = 0
  const names = new OnDemandNames(
    { clock, idleMs: 60_000, maxNames: 3, timeoutMs: 5_000 },
    (name) => states.get(name) ?? 'pending',
    () => changes++,
  )
  return { clock, states, names, changes: () => changes }
}

describe('names on demand', () => {
  it('keeps those asked for last when there are too many', async () => {
    const { states, names } = small()
    for (const name of ['a', 'b', 'c', 'd']) {
      const demand = names.demand([name])
      states.set(name, 'absent')
      names.settle()
      expect(await demand).toBeUndefined()
      names.lookup(['a'])
    }
    expect([...names.names]).toEqual(['c', 'd', 'a'])
  })

  it('never gives up a name that a request waits for', async () => {
    const { states, names } = small()
    const demands = ['a', 'b', 'c', 'd'].map((name) => names.demand([name]))
    expect([...names.names]).toEqual(['a', 'b', 'c', 'd'])
    for (const name of names.names) states.set(name, 'in-force')
    names.settle()
    expect(await Promise.all(demands)).toEqual(['a', 'b', 'c', 'd'])
  })

  it('answers all who wait for one name', async () => {
    const { states, names } = small()
    const demands = [names.demand(['a', 'b']), names.demand(['b'])]
    states.set('b', 'in-force')
    names.settle()
    expect(await demands[1]).toBe('b')
    states.set('a', 'absent')
    names.settle()
    expect(await demands[0]).toBe('b')
  })

  it('tells when what to subscribe to changes, not on mere use', async () => {
    const { clock, states, names, changes } = small()
    const demand = names.demand(['a'])
    expect(changes()).toBe(1)
    states.set('a', 'in-force')
    names.settle()
    await demand
    names.lookup(['a'])
    await names.demand(['a'])
    expect(changes()).toBe(1)
    clock.advance(70_000)
    expect(changes()).toBe(2)
    expect([...names.names]).toEqual([])
  })
})

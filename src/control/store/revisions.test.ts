import * as fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { silentLogger } from '../../core/logger.ts'
import { createConfigurationRevisions } from './revisions.ts'
import { openSqliteStore } from './sqlite-store.ts'
import type { Store } from './store.ts'

function newStore(clock = new ManualClock()): Store {
  const store = openSqliteStore({ file: ':memory:', clock, logger: silentLogger })
  onTestFinished(() => store.close())
  return store
}

const set = (documents: Record<string, string>): Map<string, string> => new Map(Object.entries(documents))

describe('configuration revisions', () => {
  it('count changes and nothing else, also across restarts', async () => {
    const store = newStore()
    const revisions = await createConfigurationRevisions(store)
    expect(revisions.current).toBe(0)
    expect(await revisions.record(set({ a: '1', b: '1' }))).toBe(1)
    expect(await revisions.record(set({ b: '1', a: '1' }))).toBe(1)
    expect(await revisions.record(set({ a: '2', c: '1' }))).toBe(2)
    const restarted = await createConfigurationRevisions(store)
    expect(restarted.current).toBe(2)
    expect(await restarted.record(set({ a: '2', c: '1' }))).toBe(2)
    expect(await restarted.record(set({}))).toBe(3)
    expect(await restarted.record(set({}))).toBe(3)
  })

  it('give an empty configuration a number, too', async () => {
    expect(await (await createConfigurationRevisions(newStore())).record(set({}))).toBe(1)
  })

  it('say what changed when, newest first', async () => {
    const clock = new ManualClock()
    const revisions = await createConfigurationRevisions(newStore(clock))
    const startMs = clock.nowMs()
    await revisions.record(set({ a: '1', b: '1' }))
    clock.advance(5_000)
    await revisions.record(set({ a: '1', c: '1' }))
    expect(await revisions.list()).toEqual([
      { revision: 2, atMs: startMs + 5_000, changed: ['b', 'c'] },
      { revision: 1, atMs: startMs, changed: ['a', 'b'] },
    ])
  })

  it('are taken in the order of the calls', async () => {
    const revisions = await createConfigurationRevisions(newStore())
    const numbers = await Promise.all(['1', '2', '2', '1'].map((a) => revisions.record(set({ a }))))
    expect(numbers).toEqual([1, 2, 2, 3])
    expect(await revisions.documents(3)).toEqual(set({ a: '1' }))
  })

  it('a write that fails counts nothing and blocks nothing', async () => {
    const store = newStore()
    let failing = true
    const flaky: Store = Object.assign(Object.create(store) as Store, {
      write: (writes: Parameters<Store['write']>[0]) =>
        failing ? Promise.reject(new Error('disk full')) : store.write(writes),
      get: store.get.bind(store),
      list: store.list.bind(store),
      history: store.history.bind(store),
    })
    const revisions = await createConfigurationRevisions(flaky)
    await expect(revisions.record(set({ a: '1' }))).rejects.toThrow('disk full')
    failing = false
    expect(await revisions.record(set({ a: '1' }))).toBe(1)
  })

  it('give back every set that was ever recorded', async () => {
    const document = fc.constantFrom('Service/a/x', 'Service/a/y', 'HTTPRoute/a/x', 'x')
    const sets = fc.array(fc.dictionary(document, fc.constantFrom('', '1', '2')), { maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(sets, async (recorded) => {
        const store = openSqliteStore({ file: ':memory:', clock: new ManualClock(), logger: silentLogger })
        const revisions = await createConfigurationRevisions(store)
        const numbered = new Map<number, Map<string, string>>()
        for (const documents of recorded) numbered.set(await revisions.record(set(documents)), set(documents))
        for (const [revision, documents] of numbered) expect(await revisions.documents(revision)).toEqual(documents)
        expect(await revisions.documents(numbered.size + 1)).toBeUndefined()
        expect(await revisions.documents(0)).toBeUndefined()
        expect((await revisions.list()).length).toBe(numbered.size)
        await store.close()
      }),
      { numRuns: 60 },
    )
  })
})

import * as fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { silentLogger } from '../../core/logger.ts'
import { createConfigurationRevisions } from './revisions.ts'
import type { ConfigurationRevisions } from './revisions.ts'
import { openSqliteStore } from './sqlite-store.ts'
import type { Store } from './store.ts'

function newStore(clock = new ManualClock()): Store {
  const store = openSqliteStore({ file: ':memory:', clock, logger: silentLogger })
  onTestFinished(() => store.close())
  return store
}

const set = (documents: Record<string, string>): Map<string, string> => new Map(Object.entries(documents))

/** What a control plane does that starts with these documents. */
async function start(revisions: ConfigurationRevisions, documents: Map<string, string>): Promise<number> {
  const revision = revisions.resume(documents)
  await revisions.record(revision, documents)
  return revision
}

describe('configuration revisions', () => {
  it('count changes and nothing else, also across restarts', async () => {
    const store = newStore()
    const revisions = await createConfigurationRevisions(store)
    expect(revisions.current).toBe(0)
    expect(await start(revisions, set({ a: '1', b: '1' }))).toBe(1)
    expect(await start(revisions, set({ b: '1', a: '1' }))).toBe(1)
    expect(await start(revisions, set({ a: '2', c: '1' }))).toBe(2)
    const restarted = await createConfigurationRevisions(store)
    expect(restarted.current).toBe(2)
    expect(await start(restarted, set({ a: '2', c: '1' }))).toBe(2)
    expect(await start(restarted, set({}))).toBe(3)
    expect(await start(restarted, set({}))).toBe(3)
  })

  it('give an empty configuration a number, too', async () => {
    expect(await start(await createConfigurationRevisions(newStore()), set({}))).toBe(1)
  })

  it('say what changed when, newest first', async () => {
    const clock = new ManualClock()
    const revisions = await createConfigurationRevisions(newStore(clock))
    const startMs = clock.nowMs()
    await start(revisions, set({ a: '1', b: '1' }))
    clock.advance(5_000)
    await start(revisions, set({ a: '1', c: '1' }))
    expect(await revisions.list()).toEqual([
      { revision: 2, atMs: startMs + 5_000, changed: ['b', 'c'] },
      { revision: 1, atMs: startMs, changed: ['a', 'b'] },
    ])
  })

  it('are taken in the order of the calls, and an old one not at all', async () => {
    const revisions = await createConfigurationRevisions(newStore())
    await Promise.all(['1', '2', '3'].map((a, index) => revisions.record(index + 1, set({ a }))))
    await revisions.record(2, set({ a: 'late' }))
    expect(revisions.current).toBe(3)
    expect(await revisions.documents(2)).toEqual(set({ a: '2' }))
    expect(await revisions.documents(3)).toEqual(set({ a: '3' }))
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
    await expect(start(revisions, set({ a: '1' }))).rejects.toThrow('disk full')
    failing = false
    expect(await start(revisions, set({ a: '1' }))).toBe(1)
  })

  it('give back every set that was ever recorded', async () => {
    const document = fc.constantFrom('Service/a/x', 'Service/a/y', 'HTTPRoute/a/x', 'x')
    const sets = fc.array(fc.dictionary(document, fc.constantFrom('', '1', '2')), { maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(sets, async (recorded) => {
        const store = openSqliteStore({ file: ':memory:', clock: new ManualClock(), logger: silentLogger })
        const revisions = await createConfigurationRevisions(store)
        const numbered = new Map<number, Map<string, string>>()
        for (const documents of recorded) numbered.set(await start(revisions, set(documents)), set(documents))
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

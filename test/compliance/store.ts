// What every implementation of Store must do. Called from a test file beside each implementation.
import { describe, expect, it, onTestFinished } from 'vitest'

import type { Store, StoreChange } from '../../src/control/store/store.ts'

/** `open` gives an empty store that the suite closes. */
export function describeStore(name: string, open: () => Store): void {
  const opened = (): Store => {
    const store = open()
    onTestFinished(() => store.close())
    return store
  }

  describe(`store: ${name}`, () => {
    it('gives back what was put, with the revision that wrote it', async () => {
      const store = opened()
      expect(await store.get('a')).toBeUndefined()
      expect(await store.put('a', 'one')).toEqual({ written: true, revision: 1 })
      expect(await store.put('b', 'two')).toEqual({ written: true, revision: 2 })
      expect(await store.get('a')).toEqual({ key: 'a', value: 'one', revision: 1 })
      expect(await store.put('a', '')).toEqual({ written: true, revision: 3 })
      expect(await store.get('a')).toEqual({ key: 'a', value: '', revision: 3 })
    })

    it('lists exactly the keys with a prefix, sorted', async () => {
      const store = opened()
      for (const key of ['p/b', 'p/', 'p', 'p/a', 'p0', 'o/z', 'p/é', 'p/\u{10fffd}', 'p/%', 'p/_'])
        await store.put(key, key)
      await store.delete('p/%')
      const { entries, revision } = await store.list('p/')
      expect(entries.map(({ key }) => key)).toEqual(['p/', 'p/_', 'p/a', 'p/b', 'p/é', 'p/\u{10fffd}'])
      expect(revision).toBe(11)
      expect((await store.list('')).entries).toHaveLength(9)
      expect((await store.list('none/')).entries).toEqual([])
    })

    it('deletes, and deleting what is not there changes nothing', async () => {
      const store = opened()
      await store.put('a', '1')
      expect(await store.delete('a')).toEqual({ written: true, revision: 2 })
      expect(await store.get('a')).toBeUndefined()
      expect(await store.delete('a')).toEqual({ written: true, revision: 2 })
      expect((await store.list('')).entries).toEqual([])
    })

    it('writes only at the expected revision', async () => {
      const store = opened()
      expect(await store.put('a', '1', 0)).toEqual({ written: true, revision: 1 })
      expect(await store.put('a', '2', 0)).toEqual({ written: false, key: 'a', revision: 1 })
      expect(await store.put('a', '2', 1)).toEqual({ written: true, revision: 2 })
      expect(await store.put('a', '3', 1)).toEqual({ written: false, key: 'a', revision: 2 })
      expect(await store.delete('a', 1)).toEqual({ written: false, key: 'a', revision: 2 })
      expect(await store.delete('a', 2)).toEqual({ written: true, revision: 3 })
      expect(await store.put('a', '4', 2)).toEqual({ written: false, key: 'a', revision: 0 })
      expect(await store.put('a', '4', 0)).toEqual({ written: true, revision: 4 })
    })

    it('lets one of many that expect the same revision win', async () => {
      const store = opened()
      const results = await Promise.all(Array.from({ length: 10 }, (_, i) => store.put('lock', String(i), 0)))
      expect(results.filter(({ written }) => written)).toHaveLength(1)
    })

    it('writes many keys as one revision, or none of them', async () => {
      const store = opened()
      await store.put('c', 'old')
      const writes = [
        { key: 'a', value: '1', expectedRevision: 0 },
        { key: 'b', value: '2' },
        { key: 'c', value: undefined, expectedRevision: 1 },
      ]
      expect(await store.write(writes)).toEqual({ written: true, revision: 2 })
      expect((await store.list('')).entries.map(({ key, revision }) => [key, revision])).toEqual([
        ['a', 2],
        ['b', 2],
      ])
      const failing = [
        { key: 'd', value: 'x' },
        { key: 'a', value: 'x', expectedRevision: 0 },
      ]
      expect(await store.write(failing)).toEqual({ written: false, key: 'a', revision: 2 })
      expect(await store.get('d')).toBeUndefined()
      await expect(
        store.write([
          { key: 'e', value: '1' },
          { key: 'e', value: '2' },
        ]),
      ).rejects.toThrow('twice')
      expect(await store.write([])).toEqual({ written: true, revision: 2 })
    })

    it('keeps every revision', async () => {
      const store = opened()
      await store.put('a', '1')
      await store.put('b', 'x')
      await store.put('a', '2')
      await store.delete('a')
      await store.put('a', '3')
      expect((await store.history('a')).map(({ value, revision }) => [revision, value])).toEqual([
        [1, '1'],
        [3, '2'],
        [4, undefined],
        [5, '3'],
      ])
      expect(await store.get('a', 3)).toEqual({ key: 'a', value: '2', revision: 3 })
      expect(await store.get('a', 2)).toEqual({ key: 'a', value: '1', revision: 1 })
      expect(await store.get('a', 4)).toBeUndefined()
      const past = await store.list('', 4)
      expect(past).toEqual({ entries: [{ key: 'b', value: 'x', revision: 2 }], revision: 4 })
    })

    it('tells watchers what came and what comes, in order, once', async () => {
      const store = opened()
      await store.put('p/a', '1')
      await store.put('p/b', '1')
      const seen: string[] = []
      const stop = store.watch('p/', 1, (changes) => seen.push(textOf(changes)))
      expect(seen).toEqual([])
      await store.put('other', 'x')
      await store.write([
        { key: 'p/c', value: '2' },
        { key: 'p/a', value: undefined },
        { key: 'other', value: 'y' },
      ])
      await store.put('p/d', '3')
      await settled()
      expect(seen).toEqual(['2 p/b=1', '4 p/a- p/c=2', '5 p/d=3'])
      stop()
      await store.put('p/e', '4')
      await settled()
      expect(seen).toHaveLength(3)
    })

    it('catches a watcher up without waiting for the next write', async () => {
      const store = opened()
      await store.put('a', '1')
      await store.put('b', '2')
      await store.delete('a')
      const seen: string[] = []
      store.watch('', 0, (changes) => seen.push(textOf(changes)))
      store.watch('', 3, (changes) => seen.push(`late ${textOf(changes)}`))
      await settled()
      expect(seen).toEqual(['1 a=1', '2 b=2', '3 a-'])
    })

    it('lets a watcher write, stop itself and fail without harm to the others', async () => {
      const store = opened()
      const first: string[] = []
      const second: string[] = []
      const { revision } = await store.list('')
      store.watch('', revision, () => {
        throw new Error('a watcher that fails')
      })
      const stop = store.watch('', revision, (changes) => {
        first.push(textOf(changes))
        void store.put('echo', 'x', 0)
        if (first.length === 2) stop()
      })
      store.watch('', revision, (changes) => second.push(textOf(changes)))
      await store.put('a', '1')
      await settled()
      await store.put('b', '1')
      await settled()
      expect(first).toEqual(['1 a=1', '2 echo=x'])
      expect(second).toEqual(['1 a=1', '2 echo=x', '3 b=1'])
    })

    it('rejects everything after it was closed', async () => {
      const store = opened()
      const seen: string[] = []
      store.watch('', 0, (changes) => seen.push(textOf(changes)))
      await store.close()
      await store.close()
      await expect(store.get('a')).rejects.toThrow('closed')
      await expect(store.put('a', '1')).rejects.toThrow('closed')
      expect(seen).toEqual([])
    })
  })
}

function textOf(changes: readonly StoreChange[]): string {
  const keys = changes.map(({ key, value }) => (value === undefined ? `${key}-` : `${key}=${value}`))
  return [changes[0]?.revision, ...keys].join(' ')
}

/** Watchers are called soon after a write, not inside it. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

import { beforeEach, describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { silentLogger } from '../../core/logger.ts'
import { createAppliedDocuments } from './applied-documents.ts'
import type { AppliedDocuments } from './applied-documents.ts'
import { openSqliteStore } from './sqlite-store.ts'
import type { Store } from './store.ts'

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('applied documents', () => {
  const clock = new ManualClock()
  let store: Store
  let documents: AppliedDocuments

  beforeEach(async () => {
    store = openSqliteStore({ file: ':memory:', clock, logger: silentLogger })
    documents = await createAppliedDocuments(store)
    return async () => {
      documents.stop()
      await store.close()
    }
  })

  it('are listed by key once they are applied, and found again later', async () => {
    const revision = await documents.put([
      { key: 'Service/default/web', text: 'kind: Service' },
      { key: 'HTTPRoute/default/web', text: 'kind: HTTPRoute' },
    ])
    await settled()
    const expected = [
      { key: 'HTTPRoute/default/web', text: 'kind: HTTPRoute', revision },
      { key: 'Service/default/web', text: 'kind: Service', revision },
    ]
    expect(documents.list()).toEqual(expected)
    expect((await createAppliedDocuments(store)).list()).toEqual(expected)
  })

  it('tell each change once, as a whole', async () => {
    const told: (readonly string[])[] = []
    const stop = documents.subscribe((keys) => told.push([...keys, `of ${documents.list().length}`]))
    await documents.put([
      { key: 'Service/a/x', text: '1' },
      { key: 'Service/a/y', text: '1' },
    ])
    expect(await documents.delete(['Service/a/x', 'Service/a/none', 'Service/a/x'])).toEqual(['Service/a/x'])
    expect(await documents.delete(['Service/a/none'])).toEqual([])
    await settled()
    // each sees the list as it was at its revision
    expect(told).toEqual([
      ['Service/a/x', 'Service/a/y', 'of 2'],
      ['Service/a/x', 'of 1'],
    ])
    stop()
    await documents.put([{ key: 'Service/a/z', text: '1' }])
    await settled()
    expect(told).toHaveLength(2)
  })

  it('keep every version', async () => {
    await documents.put([{ key: 'Service/a/x', text: 'one' }])
    clock.advance(1_000)
    await documents.put([{ key: 'Service/a/x', text: 'two' }])
    await documents.delete(['Service/a/x'])
    const history = await documents.history('Service/a/x')
    expect(history.map(({ text }) => text)).toEqual(['one', 'two', undefined])
    expect((history[1]?.atMs ?? 0) - (history[0]?.atMs ?? 0)).toBe(1_000)
  })
})

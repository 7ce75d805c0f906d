import { expect, it } from 'vitest'

import { WatchableValue } from '../../core/watchable.ts'
import { createStoreSource } from './store-source.ts'

it('gives what was applied, sorted, and follows its changes until it is stopped', async () => {
  const documents = new WatchableValue<readonly { key: string; text: string }[]>([
    { key: 'Service/default/b', text: 'b' },
    { key: 'Service/default/a', text: 'a' },
  ])
  const source = createStoreSource({
    list: () => documents.value,
    subscribe: (listener) => documents.subscribe(listener),
  })
  expect(source.files.value).toEqual([])
  await source.start()
  const [a] = source.files.value
  expect(source.files.value).toEqual([
    { path: 'applied/Service/default/a', text: 'a' },
    { path: 'applied/Service/default/b', text: 'b' },
  ])
  documents.set([{ key: 'Service/default/a', text: 'a' }])
  expect(source.files.value).toEqual([a])
  expect(source.files.value[0]).toBe(a)
  source.stop()
  documents.set([])
  expect(source.files.value).toHaveLength(1)
})

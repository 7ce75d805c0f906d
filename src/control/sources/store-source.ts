// Documents that were applied (`heddle apply`): the store's, in the shape of a source.
import { WatchableValue } from '../../core/watchable.ts'
import type { Source, SourceFile } from './source.ts'

/** What the store offers of its newest revision. */
export interface AppliedDocuments {
  list(): readonly { readonly key: string; readonly text: string }[]
  /** Calls back after each change until the returned function is called. */
  subscribe(listener: () => void): () => void
}

/** Files are named so in problems and source locations, followed by the document's id. */
export const appliedPrefix = 'applied/'

export function createStoreSource(documents: AppliedDocuments): Source {
  const files = new WatchableValue<readonly SourceFile[]>([])
  let byKey = new Map<string, SourceFile & { readonly text: string }>()
  let unsubscribe: (() => void) | undefined
  const read = (): void => {
    const next: typeof byKey = new Map()
    for (const { key, text } of documents.list().toSorted((a, b) => (a.key < b.key ? -1 : 1))) {
      const before = byKey.get(key)
      next.set(key, before?.text === text ? before : { path: `${appliedPrefix}${key}`, text })
    }
    byKey = next
    files.set([...next.values()])
  }
  return {
    files,
    start() {
      unsubscribe = documents.subscribe(read)
      read()
      return Promise.resolve()
    },
    stop() {
      unsubscribe?.()
    },
  }
}

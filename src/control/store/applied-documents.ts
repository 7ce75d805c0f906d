// The documents that came through the API, as people wrote them. They are one of the configuration's sources, beside files.
import type { Store, StoreChange } from './store.ts'

export interface AppliedDocument {
  /** "Kind/namespace/name", the namespace empty for kinds that have none: "HTTPRoute/default/reviews". */
  readonly key: string
  /** YAML, one document. */
  readonly text: string
  /** Store revision that wrote it. */
  readonly revision: number
}

export interface AppliedDocuments {
  /** Those of now, sorted by key. */
  list(): readonly AppliedDocument[]
  /** All of them or none, as one change. Resolves with the store revision. */
  put(documents: readonly { readonly key: string; readonly text: string }[]): Promise<number>
  /** Resolves with the keys that were there. */
  delete(keys: readonly string[]): Promise<readonly string[]>
  /** Calls `onChange` with the keys of each change, after `list` shows it, until the returned function is called. */
  subscribe(onChange: (keys: readonly string[]) => void): () => void
  /** Every version of a document, oldest first; `text` is undefined where it was deleted. */
  history(key: string): Promise<readonly DocumentVersion[]>
  /** Ends following the store. */
  stop(): void
}

export interface DocumentVersion {
  readonly text: string | undefined
  readonly revision: number
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number
}

const prefix = 'applied/'

export async function createAppliedDocuments(store: Store): Promise<AppliedDocuments> {
  const { entries, revision } = await store.list(prefix)
  const documents = new Map<string, AppliedDocument>()
  const listeners = new Set<(keys: readonly string[]) => void>()
  const take = (change: Pick<StoreChange, 'key' | 'value' | 'revision'>): string => {
    const key = change.key.slice(prefix.length)
    if (change.value === undefined) documents.delete(key)
    else documents.set(key, { key, text: change.value, revision: change.revision })
    return key
  }
  entries.forEach(take)
  const stop = store.watch(prefix, revision, (changes) => {
    const keys = changes.map(take)
    for (const listener of listeners) listener(keys)
  })

  return {
    list: () => [...documents.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1)),
    async put(added) {
      const written = await store.write(added.map(({ key, text }) => ({ key: prefix + key, value: text })))
      return written.revision
    },
    async delete(keys) {
      const present: string[] = []
      for (const key of new Set(keys)) if ((await store.get(prefix + key)) !== undefined) present.push(key)
      await store.write(present.map((key) => ({ key: prefix + key, value: undefined })))
      return present
    },
    subscribe(onChange) {
      listeners.add(onChange)
      return () => listeners.delete(onChange)
    },
    async history(key) {
      const versions = await store.history(prefix + key)
      return versions.map(({ value, revision: at, atMs }) => ({ text: value, revision: at, atMs }))
    },
    stop,
  }
}

// The configuration's own counter: revision N is a set of documents, whatever source each came from, and stays readable for ever.
import type { Store, StoreChange, StoreWrite } from './store.ts'

/** Document texts by "Kind/namespace/name". */
export type DocumentSet = ReadonlyMap<string, string>

export interface ConfigurationRevision {
  readonly revision: number
  /** When it was recorded, milliseconds since the Unix epoch. */
  readonly atMs: number
  /** Keys of the documents that differ from the revision before. */
  readonly changed: readonly string[]
}

export interface ConfigurationRevisions {
  /** 0 before anything was recorded. */
  readonly current: number
  /** The number for this set of documents after a start: the current one when nothing differs from it, else the next. */
  resume(documents: DocumentSet): number
  /** Keeps the documents of a revision, which is `current` or later. Calls are taken in order. */
  record(revision: number, documents: DocumentSet): Promise<void>
  /** The documents of a revision; undefined when there is no such revision. */
  documents(revision: number): Promise<DocumentSet | undefined>
  /** Newest first. */
  list(): Promise<readonly ConfigurationRevision[]>
}

const counterKey = 'configuration/revision'
const documentPrefix = 'configuration/document/'

/** What the counter's key holds; its history, which the store keeps, is the list of revisions. */
interface Counter {
  readonly revision: number
  readonly changed: readonly string[]
}

export async function createConfigurationRevisions(store: Store): Promise<ConfigurationRevisions> {
  const counter = await store.get(counterKey)
  const { entries } = await store.list(documentPrefix)
  return new RecordedRevisions(
    store,
    counter === undefined ? 0 : (JSON.parse(counter.value) as Counter).revision,
    new Map(entries.map(({ key, value }) => [key.slice(documentPrefix.length), value])),
  )
}

class RecordedRevisions implements ConfigurationRevisions {
  current: number
  readonly #store: Store
  #documents: DocumentSet
  #last: Promise<unknown> = Promise.resolve()

  constructor(store: Store, current: number, documents: DocumentSet) {
    this.#store = store
    this.current = current
    this.#documents = documents
  }

  resume(documents: DocumentSet): number {
    return this.current > 0 && this.#changed(documents).length === 0 ? this.current : this.current + 1
  }

  record(revision: number, documents: DocumentSet): Promise<void> {
    const recorded = this.#last.then(() => this.#record(revision, documents))
    this.#last = recorded.catch(() => undefined)
    return recorded
  }

  async documents(revision: number): Promise<DocumentSet | undefined> {
    const change = (await this.#store.history(counterKey)).find((one) => toRevision(one).revision === revision)
    if (change === undefined) return undefined
    const { entries } = await this.#store.list(documentPrefix, change.revision)
    return new Map(entries.map(({ key, value }) => [key.slice(documentPrefix.length), value]))
  }

  async list(): Promise<readonly ConfigurationRevision[]> {
    return (await this.#store.history(counterKey)).map(toRevision).toReversed()
  }

  async #record(revision: number, documents: DocumentSet): Promise<void> {
    if (revision <= this.current) return
    const changed = this.#changed(documents)
    const next: Counter = { revision, changed }
    // one write: the counter never names a set that is not there
    const writes: StoreWrite[] = changed.map((key) => ({ key: documentPrefix + key, value: documents.get(key) }))
    await this.#store.write([{ key: counterKey, value: JSON.stringify(next) }, ...writes])
    this.current = revision
    this.#documents = new Map(documents)
  }

  #changed(documents: DocumentSet): string[] {
    const keys = new Set([...this.#documents.keys(), ...documents.keys()])
    return [...keys].filter((key) => documents.get(key) !== this.#documents.get(key)).toSorted()
  }
}

function toRevision(change: StoreChange): ConfigurationRevision {
  const { revision, changed } = JSON.parse(change.value as string) as Counter
  return { revision, atMs: change.atMs, changed }
}

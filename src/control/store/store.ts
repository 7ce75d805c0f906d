// What the control plane remembers: keys and values under one counter of revisions, all of which are kept. Implementations pass test/compliance/store.ts.

/** One key as it was, or became, at a revision. */
export interface StoreEntry {
  readonly key: string
  readonly value: string
  /** The revision that wrote this value. */
  readonly revision: number
}

/** One key at one revision of its history; `value` is undefined when that revision deleted it. */
export interface StoreChange {
  readonly key: string
  readonly value: string | undefined
  readonly revision: number
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number
}

export interface StoreWrite {
  readonly key: string
  /** Undefined deletes. */
  readonly value: string | undefined
  /** Written only if the key is at this revision; 0: only if there is no such key. Absent: whatever it is. */
  readonly expectedRevision?: number
}

export type WriteResult =
  /** `revision` is that of the store after the write; deleting what is not there writes nothing. */
  | { readonly written: true; readonly revision: number }
  /** Nothing was written: `key` is at `revision` (0: absent), which is not what was expected. */
  | { readonly written: false; readonly key: string; readonly revision: number }

/** A prefix is a plain text prefix: end it with the separator of the keys. */
export interface Store {
  /** As of `revision` when given, else now. */
  get(key: string, revision?: number): Promise<StoreEntry | undefined>
  /** Sorted by key, with the revision they were read at: the one to watch from. */
  list(
    prefix: string,
    revision?: number,
  ): Promise<{ readonly entries: readonly StoreEntry[]; readonly revision: number }>
  put(key: string, value: string, expectedRevision?: number): Promise<WriteResult>
  delete(key: string, expectedRevision?: number): Promise<WriteResult>
  /** All of the writes or none, as one revision. A key may occur once. */
  write(writes: readonly StoreWrite[]): Promise<WriteResult>
  /** Every revision of a key, oldest first. */
  history(key: string): Promise<readonly StoreChange[]>
  /**
   * Calls `onChanges` with what came after `fromRevision` and then with what comes, one call a revision, in order, none twice, none missed,
   * never inside a call of the store. Stops when the returned function is called or the store is closed.
   */
  watch(prefix: string, fromRevision: number, onChanges: (changes: readonly StoreChange[]) => void): () => void
  /** Idempotent. Calls that come later reject. */
  close(): Promise<void>
}

// The embedded store: one SQLite file, which one control plane uses at a time. What was acknowledged survives SIGKILL and loss of power.
import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { StatementSync } from 'node:sqlite'

import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import type { Store, StoreChange, StoreEntry, StoreWrite, WriteResult } from './store.ts'

export interface SqliteStoreOptions {
  /** ":memory:" for one that forgets. */
  readonly file: string
  readonly clock: Clock
  readonly logger: Logger
}

const schemaVersion = 1
const schema = `
  CREATE TABLE revision (revision INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT;
  CREATE TABLE change (
    key TEXT NOT NULL,
    revision INTEGER NOT NULL REFERENCES revision,
    value TEXT, -- null: deleted
    PRIMARY KEY (key, revision)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX change_by_revision ON change (revision);
  PRAGMA user_version = ${schemaVersion};
`

/** Throws with the file's name and the way out when it cannot be opened or belongs to another control plane. */
export function openSqliteStore(options: SqliteStoreOptions): Store {
  return new SqliteStore(options)
}

interface Watcher {
  readonly prefix: string
  readonly onChanges: (changes: readonly StoreChange[]) => void
  seenRevision: number
}

class SqliteStore implements Store {
  readonly #database: DatabaseSync
  readonly #statements: Statements
  readonly #options: SqliteStoreOptions
  readonly #watchers = new Set<Watcher>()
  #revision: number
  #closed = false

  constructor(options: SqliteStoreOptions) {
    this.#options = options
    this.#database = openDatabase(options.file)
    this.#statements = prepare(this.#database)
    this.#revision = Number(this.#statements.lastRevision.get()?.['revision'])
  }

  async get(key: string, revision: number = this.#revision): Promise<StoreEntry | undefined> {
    this.#assertOpen()
    return this.#get(key, revision)
  }

  async list(
    prefix: string,
    revision: number = this.#revision,
  ): Promise<{ entries: readonly StoreEntry[]; revision: number }> {
    this.#assertOpen()
    const rows = this.#statements.list.all({ prefix, revision })
    return { entries: rows.map(toEntry), revision: Math.min(revision, this.#revision) }
  }

  put(key: string, value: string, expectedRevision?: number): Promise<WriteResult> {
    return this.write([{ key, value, ...(expectedRevision === undefined ? {} : { expectedRevision }) }])
  }

  delete(key: string, expectedRevision?: number): Promise<WriteResult> {
    return this.write([{ key, value: undefined, ...(expectedRevision === undefined ? {} : { expectedRevision }) }])
  }

  async write(writes: readonly StoreWrite[]): Promise<WriteResult> {
    this.#assertOpen()
    if (new Set(writes.map(({ key }) => key)).size < writes.length) throw new Error('a key occurs twice in one write')
    const effective: StoreWrite[] = []
    for (const write of writes) {
      const revision = this.#get(write.key, this.#revision)?.revision ?? 0
      if (write.expectedRevision !== undefined && write.expectedRevision !== revision) {
        return { written: false, key: write.key, revision }
      }
      if (write.value !== undefined || revision !== 0) effective.push(write)
    }
    if (effective.length > 0) this.#commit(effective)
    return { written: true, revision: this.#revision }
  }

  async history(key: string): Promise<readonly StoreChange[]> {
    this.#assertOpen()
    return this.#statements.history.all({ key }).map(toChange)
  }

  watch(prefix: string, fromRevision: number, onChanges: (changes: readonly StoreChange[]) => void): () => void {
    this.#assertOpen()
    const watcher: Watcher = { prefix, onChanges, seenRevision: fromRevision }
    this.#watchers.add(watcher)
    queueMicrotask(() => this.#notify(watcher))
    return () => this.#watchers.delete(watcher)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#watchers.clear()
    this.#database.close()
  }

  #get(key: string, revision: number): StoreEntry | undefined {
    const row = this.#statements.get.get({ key, revision })
    return row === undefined || row['value'] === null ? undefined : toEntry(row)
  }

  #commit(writes: readonly StoreWrite[]): void {
    const revision = this.#revision + 1
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      this.#statements.insertRevision.run({ revision, at_ms: Math.round(this.#options.clock.nowMs()) })
      for (const { key, value } of writes) this.#statements.insertChange.run({ key, revision, value: value ?? null })
      this.#database.exec('COMMIT')
    } catch (error) {
      // a full disk may have rolled back already
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw new Error(`cannot write to the store ${this.#options.file}: ${errorMessage(error)}`, { cause: error })
    }
    this.#revision = revision
    queueMicrotask(() => {
      for (const watcher of this.#watchers) this.#notify(watcher)
    })
  }

  #notify(watcher: Watcher): void {
    while (this.#watchers.has(watcher) && watcher.seenRevision < this.#revision) {
      const next = this.#statements.nextRevision.get({ prefix: watcher.prefix, revision: watcher.seenRevision })
      const revision = next?.['revision']
      if (typeof revision !== 'number') {
        watcher.seenRevision = this.#revision
        return
      }
      watcher.seenRevision = revision
      const changes = this.#statements.changesOf.all({ prefix: watcher.prefix, revision }).map(toChange)
      try {
        watcher.onChanges(changes)
      } catch (error) {
        this.#options.logger.error('a watcher of the store failed', {
          prefix: watcher.prefix,
          error: errorMessage(error),
        })
      }
    }
  }

  #assertOpen(): void {
    if (this.#closed) throw new Error(`the store ${this.#options.file} is closed`)
  }
}

function openDatabase(file: string): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    if (file !== ':memory:') createPrivateFile(file)
    database = new DatabaseSync(file, { timeout: 500 })
    // exclusive: a second control plane on the same state is told so instead of being half served
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    database.exec('BEGIN EXCLUSIVE')
    const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version'])
    if (version > schemaVersion) throw new Error(`it was written by a newer Heddle (schema ${version}): use that one`)
    if (version === 0) database.exec(schema)
    database.exec('COMMIT')
    return database
  } catch (error) {
    database?.close()
    const message = errorMessage(error)
    const why = message.includes('locked')
      ? 'another control plane is using it: stop that one, or choose another state directory'
      : message
    throw new Error(`cannot open the store ${file}: ${why}`, { cause: error })
  }
}

/** SQLite gives its side files the mode of the database. */
function createPrivateFile(file: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  closeSync(openSync(file, 'a', 0o600))
  chmodSync(file, 0o600)
}

type Statements = Readonly<
  Record<
    'lastRevision' | 'get' | 'list' | 'history' | 'insertRevision' | 'insertChange' | 'nextRevision' | 'changesOf',
    StatementSync
  >
>

function prepare(database: DatabaseSync): Statements {
  // the keys with a prefix are one range: char(1114111) sorts after every other character
  const inPrefix = 'key >= $prefix AND key < $prefix || char(1114111)'
  return {
    lastRevision: database.prepare('SELECT coalesce(max(revision), 0) AS revision FROM revision'),
    get: database.prepare(
      'SELECT key, value, revision FROM change WHERE key = $key AND revision <= $revision ORDER BY revision DESC LIMIT 1',
    ),
    // beside max(), SQLite takes the other columns from the row that has it
    list: database.prepare(`
      SELECT key, value, revision FROM (
        SELECT key, value, max(revision) AS revision FROM change WHERE ${inPrefix} AND revision <= $revision GROUP BY key
      ) WHERE value IS NOT NULL ORDER BY key`),
    history: database.prepare(
      'SELECT key, value, revision, at_ms FROM change JOIN revision USING (revision) WHERE key = $key ORDER BY revision',
    ),
    insertRevision: database.prepare('INSERT INTO revision (revision, at_ms) VALUES ($revision, $at_ms)'),
    insertChange: database.prepare('INSERT INTO change (key, revision, value) VALUES ($key, $revision, $value)'),
    nextRevision: database.prepare(
      `SELECT revision FROM change WHERE revision > $revision AND ${inPrefix} ORDER BY revision LIMIT 1`,
    ),
    changesOf: database.prepare(`
      SELECT key, value, revision, at_ms FROM change JOIN revision USING (revision)
      WHERE revision = $revision AND ${inPrefix} ORDER BY key`),
  }
}

type Row = Readonly<Record<string, unknown>>

function toEntry(row: Row): StoreEntry {
  return { key: String(row['key']), value: String(row['value']), revision: Number(row['revision']) }
}

function toChange(row: Row): StoreChange {
  const value = row['value']
  return {
    key: String(row['key']),
    value: typeof value === 'string' ? value : undefined,
    revision: Number(row['revision']),
    atMs: Number(row['at_ms']),
  }
}

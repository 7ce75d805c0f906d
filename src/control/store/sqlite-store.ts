// The embedded store: one SQLite file, which one control plane uses at a time. What was acknowledged survives SIGKILL and loss of power. Values
// are encrypted with the key in `store.key` beside it; keys and times are not.
import { randomBytes } from 'node:crypto'
import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { StatementSync } from 'node:sqlite'

import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import { createSealKey, createValueSeal, readSealKey, type ValueSeal } from './sealed-values.ts'
import type { Store, StoreChange, StoreEntry, StoreWrite, WriteResult } from './store.ts'

export interface SqliteStoreOptions {
  /** ":memory:" for one that forgets. */
  readonly file: string
  readonly clock: Clock
  readonly logger: Logger
}

/** 1 had its values in clear. */
const schemaVersion = 2
const schema = `
  CREATE TABLE revision (revision INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT;
  CREATE TABLE change (
    key TEXT NOT NULL,
    revision INTEGER NOT NULL REFERENCES revision,
    value TEXT, -- sealed; null: deleted
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
  readonly #seal: ValueSeal
  readonly #statements: Statements
  readonly #options: SqliteStoreOptions
  readonly #watchers = new Set<Watcher>()
  #revision: number
  #closed = false

  constructor(options: SqliteStoreOptions) {
    this.#options = options
    const { database, seal } = openDatabase(options.file)
    this.#database = database
    this.#seal = seal
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
    return { entries: rows.map((row) => this.#toEntry(row)), revision: Math.min(revision, this.#revision) }
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
    return this.#statements.history.all({ key }).map((row) => this.#toChange(row))
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
    return row === undefined || row['value'] === null ? undefined : this.#toEntry(row)
  }

  #commit(writes: readonly StoreWrite[]): void {
    const revision = this.#revision + 1
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      this.#statements.insertRevision.run({ revision, at_ms: Math.round(this.#options.clock.nowMs()) })
      for (const { key, value } of writes) {
        const sealed = value === undefined ? null : this.#seal.seal(placeOf(key, revision), value)
        this.#statements.insertChange.run({ key, revision, value: sealed })
      }
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
      try {
        const rows = this.#statements.changesOf.all({ prefix: watcher.prefix, revision })
        const changes = rows.map((row) => this.#toChange(row))
        watcher.onChanges(changes)
      } catch (error) {
        this.#options.logger.error('a watcher of the store failed', {
          prefix: watcher.prefix,
          error: errorMessage(error),
        })
      }
    }
  }

  #toEntry(row: Row): StoreEntry {
    const [key, revision] = [String(row['key']), Number(row['revision'])]
    return { key, value: this.#open(key, revision, String(row['value'])), revision }
  }

  #toChange(row: Row): StoreChange {
    const [key, revision, value] = [String(row['key']), Number(row['revision']), row['value']]
    return {
      key,
      value: typeof value === 'string' ? this.#open(key, revision, value) : undefined,
      revision,
      atMs: Number(row['at_ms']),
    }
  }

  #open(key: string, revision: number, sealed: string): string {
    try {
      return this.#seal.open(placeOf(key, revision), sealed)
    } catch (error) {
      const what = `the value of ${key} in the store ${this.#options.file} cannot be read`
      const wayOut = 'put the right key back, or remove the store to begin anew'
      throw new Error(`${what}: it was changed, or belongs to another store.key; ${wayOut}`, { cause: error })
    }
  }

  #assertOpen(): void {
    if (this.#closed) throw new Error(`the store ${this.#options.file} is closed`)
  }
}

/** No row can stand for another. */
function placeOf(key: string, revision: number): string {
  return `${revision} ${key}`
}

function openDatabase(file: string): { readonly database: DatabaseSync; readonly seal: ValueSeal } {
  let database: DatabaseSync | undefined
  try {
    if (file !== ':memory:') createPrivateFile(file)
    database = new DatabaseSync(file, { timeout: 500 })
    // exclusive: a second control plane on the same state is told so instead of being half served
    database.exec(
      'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON',
    )
    database.exec('BEGIN EXCLUSIVE')
    const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version'])
    if (version > schemaVersion) throw new Error(`it was written by a newer Heddle (schema ${version}): use that one`)
    const seal = createValueSeal(sealKeyOf(file, version))
    if (version === 0) database.exec(schema)
    if (version === 1) sealValues(database, seal)
    database.exec('COMMIT')
    // or pages that nobody uses any more would still hold them in clear
    if (version === 1) database.exec('VACUUM; PRAGMA wal_checkpoint(TRUNCATE)')
    return { database, seal }
  } catch (error) {
    database?.close()
    const message = errorMessage(error)
    const why = message.includes('locked')
      ? 'another control plane is using it: stop that one, or choose another state directory'
      : message
    throw new Error(`cannot open the store ${file}: ${why}`, { cause: error })
  }
}

/** Throws when what is sealed could not be opened again. */
function sealKeyOf(file: string, version: number): Uint8Array {
  if (file === ':memory:') return randomBytes(32)
  const keyFile = join(dirname(file), 'store.key')
  const key = readSealKey(keyFile)
  if (key !== undefined) return key
  if (version === schemaVersion) {
    throw new Error(`its key ${keyFile} is missing or damaged: put it back, or remove the store as well to begin anew`)
  }
  return createSealKey(keyFile)
}

/** From version 1. */
function sealValues(database: DatabaseSync, seal: ValueSeal): void {
  const update = database.prepare('UPDATE change SET value = $value WHERE key = $key AND revision = $revision')
  for (const row of database.prepare('SELECT key, revision, value FROM change WHERE value IS NOT NULL').all()) {
    const [key, revision] = [String(row['key']), Number(row['revision'])]
    update.run({ key, revision, value: seal.seal(placeOf(key, revision), String(row['value'])) })
  }
  database.exec(`PRAGMA user_version = ${schemaVersion}`)
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

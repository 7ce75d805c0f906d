import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { describe, expect, it, onTestFinished } from 'vitest'

import { describeStore } from '../../../test/compliance/store.ts'
import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { silentLogger } from '../../core/logger.ts'
import { openSqliteStore } from './sqlite-store.ts'
import type { Store } from './store.ts'

const clock = new ManualClock()

function open(file: string): Store {
  return openSqliteStore({ file, clock, logger: silentLogger })
}

function temporaryFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'heddle-store-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return join(folder, 'state', 'heddle.db')
}

/** In any file beside the database. */
function clearTextIn(file: string): boolean {
  const folder = join(file, '..')
  return readdirSync(folder).some((name) => readFileSync(join(folder, name)).includes('private-key'))
}

describeStore('sqlite in memory', () => open(':memory:'))
describeStore('sqlite in a file', () => open(temporaryFile()))

describe('the sqlite store', () => {
  it('finds everything again after it was closed', async () => {
    const file = temporaryFile()
    const first = open(file)
    await first.put('a', '1')
    await first.put('a', '2')
    await first.close()
    const second = open(file)
    expect(await second.get('a')).toEqual({ key: 'a', value: '2', revision: 2 })
    expect(await second.history('a')).toEqual([
      { key: 'a', value: '1', revision: 1, atMs: clock.nowMs() },
      { key: 'a', value: '2', revision: 2, atMs: clock.nowMs() },
    ])
    expect(await second.put('b', '3')).toEqual({ written: true, revision: 3 })
    await second.close()
  })

  it('keeps others from reading it', async () => {
    const file = temporaryFile()
    const store = open(file)
    await store.put('a', '1')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(statSync(`${file}-wal`).mode & 0o777).toBe(0o600)
    expect(statSync(join(file, '..')).mode & 0o777).toBe(0o700)
    await store.close()
  })

  it('has nothing of its values on the disk in clear', async () => {
    const file = temporaryFile()
    const store = open(file)
    await store.put('applied/Secret/default/tls', 'a-private-key')
    await store.put('applied/Secret/default/tls', 'another-private-key')
    expect(clearTextIn(file)).toBe(false)
    await store.close()
    expect(clearTextIn(file)).toBe(false)
    expect(statSync(join(file, '..', 'store.key')).mode & 0o777).toBe(0o600)
  })

  it('takes over what an older Heddle kept in clear, every version of it, and leaves nothing of it', async () => {
    const file = temporaryFile()
    mkdirSync(join(file, '..'))
    const before = new DatabaseSync(file)
    before.exec(`
      CREATE TABLE revision (revision INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT;
      CREATE TABLE change (key TEXT NOT NULL, revision INTEGER NOT NULL REFERENCES revision, value TEXT,
        PRIMARY KEY (key, revision)) STRICT, WITHOUT ROWID;
      CREATE INDEX change_by_revision ON change (revision);
      PRAGMA user_version = 1;
      INSERT INTO revision VALUES (1, 10), (2, 20), (3, 30);
      INSERT INTO change VALUES ('a', 1, 'a-private-key'), ('a', 2, NULL), ('a', 3, '1.looks sealed');
    `)
    before.close()
    expect(clearTextIn(file)).toBe(true)
    for (let start = 0; start < 2; start++) {
      const store = open(file)
      expect((await store.history('a')).map(({ value }) => value)).toEqual([
        'a-private-key',
        undefined,
        '1.looks sealed',
      ])
      expect(clearTextIn(file)).toBe(false)
      await store.close()
    }
  })

  it('gives back no value that was changed, or moved to another place', async () => {
    const file = temporaryFile()
    const store = open(file)
    for (const key of ['a', 'b', 'c']) await store.put(key, `value of ${key}`)
    await store.close()
    const database = new DatabaseSync(file)
    database.exec(`UPDATE change SET value = (SELECT value FROM change WHERE key = 'a') WHERE key = 'b'`)
    database.exec(`UPDATE change SET value = '1.AAAA' WHERE key = 'c'`)
    database.close()
    const again = open(file)
    expect((await again.get('a'))?.value).toBe('value of a')
    for (const key of ['b', 'c']) await expect(again.get(key)).rejects.toThrow(`the value of ${key} in the store`)
    await again.close()
  })

  it('is of no use without its key, and says so', async () => {
    const file = temporaryFile()
    const store = open(file)
    await store.put('a', '1')
    await store.close()
    const key = join(file, '..', 'store.key')
    const kept = readFileSync(key)
    rmSync(key)
    expect(() => open(file)).toThrow(/store\.key is missing or damaged: put it back/)
    writeFileSync(key, Buffer.alloc(32, 1))
    const other = open(file)
    await expect(other.get('a')).rejects.toThrow(/belongs to another store\.key; put the right key back/)
    await other.close()
    writeFileSync(key, kept)
    const own = open(file)
    expect((await own.get('a'))?.value).toBe('1')
    await own.close()
  })

  it('refuses a second control plane on the same file', async () => {
    const file = temporaryFile()
    const store = open(file)
    expect(() => open(file)).toThrow(/heddle\.db: another control plane is using it/)
    await store.put('a', '1')
    await store.close()
  })

  it('says what is wrong with a file it cannot use', async () => {
    const damaged = temporaryFile()
    const store = open(damaged)
    await store.close()
    writeFileSync(damaged, 'not a database '.repeat(100))
    expect(() => open(damaged)).toThrow(/cannot open the store .*heddle\.db: file is not a database/)

    const newer = temporaryFile()
    await open(newer).close()
    const database = new DatabaseSync(newer)
    database.exec('PRAGMA user_version = 99')
    database.close()
    expect(() => open(newer)).toThrow('written by a newer Heddle')
  })
})

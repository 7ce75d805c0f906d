import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
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

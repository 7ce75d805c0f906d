// The store is killed with SIGKILL while it writes, again and again: what it acknowledged is there, and nothing is half there.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { openSqliteStore } from '../../src/control/store/sqlite-store.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/logger.ts'

const writer = fileURLToPath(new URL('../kit/store-writer.ts', import.meta.url))

/** Kills the writer after it acknowledged a few revisions; returns the last of them. */
async function writeUntilKilled(file: string, acknowledgements: number): Promise<number> {
  const child = spawn(process.execPath, [writer, file], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (bytes: Buffer) => {
    output += bytes.toString()
    if (output.split('\n').length > acknowledgements) child.kill('SIGKILL')
  })
  const signal = await new Promise<string | null>((resolve) => child.once('close', (_, by) => resolve(by)))
  assert.equal(signal, 'SIGKILL')
  return Number(output.split('\n').at(-2))
}

test('every acknowledged revision survives SIGKILL, whole', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'heddle-store-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'heddle.db')
  let last = 0
  for (const acknowledgements of [1, 20, 7, 50, 3]) {
    const acknowledged = await writeUntilKilled(file, acknowledgements)
    const store = openSqliteStore({ file, clock: systemClock, logger: silentLogger })
    const { entries, revision } = await store.list('')
    assert.ok(acknowledged > last && revision >= acknowledged, `${last} < ${acknowledged} <= ${revision}`)
    assert.deepEqual(
      entries.map(({ key, value }) => [key, value]),
      [
        ['a', String(revision)],
        ['b', String(revision)],
      ],
      'both keys of one write',
    )
    const history = await store.history('a')
    assert.deepEqual(
      history.map(({ value }) => value),
      Array.from({ length: revision }, (_, i) => String(i + 1)),
    )
    await store.close()
    last = revision
  }
})

// Writes two keys as one revision, for ever, and prints each revision once it is acknowledged: `node store-writer.ts FILE`.
import { openSqliteStore } from '../../src/control/store/sqlite-store.ts'
import { systemClock } from '../../src/core/clock.ts'
import { silentLogger } from '../../src/core/logger.ts'

const store = openSqliteStore({ file: process.argv[2] as string, clock: systemClock, logger: silentLogger })
let { revision } = await store.list('')
for (;;) {
  const value = String(revision + 1)
  const written = await store.write([
    { key: 'a', value },
    { key: 'b', value },
  ])
  revision = written.revision
  process.stdout.write(`${revision}\n`)
  await new Promise((resolve) => setImmediate(resolve))
}

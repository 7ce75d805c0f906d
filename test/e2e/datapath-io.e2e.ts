// The I/O back ends, each held to the same suite.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'

import { systemClock } from '../../src/core/clock.ts'
import { loadStreamBindings } from '../../src/core/stream-bindings.ts'
import { createNetBackend } from '../../src/proxy/io/net-backend.ts'
import { createRawBackend } from '../../src/proxy/io/raw-backend.ts'
import { describeIoBackend } from '../compliance/io-backend.ts'

/** What a process with these flags takes. */
function chosen(choice: string, ...flags: string[]): string {
  const script = `
      import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'

import { systemClock } from '${import.meta.resolve('../../src/core/clock.ts')}'
      import { createIoBackend } from '${import.meta.resolve('../../src/proxy/io/create-io-backend.ts')}'
      const { io, reason } = createIoBackend(systemClock, '${choice}')
      process.stdout.write(io.name + ': ' + reason)`
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, '--input-type=module', '-e', script], {
    encoding: 'utf8',
  })
  return stdout + stderr
}

describe('the choice of a back end', () => {
  it('takes raw handles, and says nothing about their being internal', () => {
    assert.equal(chosen('auto', '--pending-deprecation'), 'raw: the runtime gives its handles')
  })

  it('can be forced', () => {
    assert.equal(chosen('net'), 'net: as told')
    assert.equal(chosen('raw'), 'raw: as told')
  })

  it('falls back by itself where the runtime denies raw handles, unless they are demanded', () => {
    const denied = ['--permission', '--allow-fs-read=*'] as const
    assert.match(chosen('auto', ...denied), /^net: the runtime does not give its handles: /)
    assert.match(chosen('raw', ...denied), /Error: the runtime does not give its handles: /)
  })
})

describeIoBackend(() => createNetBackend(systemClock))
describeIoBackend(() => createRawBackend(systemClock, loadStreamBindings()))

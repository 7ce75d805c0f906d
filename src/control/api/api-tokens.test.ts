import { readFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { silentLogger } from '../../core/logger.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import type { Store } from '../store/store.ts'
import { createApiTokens } from './api-tokens.ts'
import type { ApiTokens } from './api-tokens.ts'
import { openAuditLog } from './audit-log.ts'

let folder = ''
let store: Store
const clock = new ManualClock()
const adminToken = 'the-admin-token'

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-api-'))
  store = openSqliteStore({ file: join(folder, 'heddle.db'), clock, logger: silentLogger })
})

afterEach(async () => {
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

function open(): Promise<ApiTokens> {
  return createApiTokens({ store, clock, adminToken })
}

it('knows the token of the mesh as admin, and nobody by anything else', async () => {
  const tokens = await open()
  expect(tokens.callerOf(adminToken)).toEqual({ name: 'admin-token', role: 'admin' })
  for (const other of ['', 'the-admin-toke', `${adminToken} `]) expect(tokens.callerOf(other)).toBeUndefined()
})

it('knows tokens again after a restart, and no longer once they are deleted', async () => {
  const token = (await (await open()).create('ci', 'operator')) ?? ''
  const again = await open()
  expect(again.callerOf(token)).toEqual({ name: 'ci', role: 'operator' })
  expect(again.list()).toEqual([{ name: 'ci', role: 'operator', createdAtMs: clock.nowMs() }])
  expect(await again.create('ci', 'viewer')).toBeUndefined()
  expect([await again.delete('ci'), await again.delete('ci')]).toEqual([true, false])
  expect(again.callerOf(token)).toBeUndefined()
  expect((await open()).callerOf(token)).toBeUndefined()
  expect(await again.create('ci', 'viewer')).toBeTypeOf('string')
})

it('is still there when it could not be deleted', async () => {
  const failing = {
    ...store,
    list: store.list.bind(store),
    put: store.put.bind(store),
    delete: () => Promise.reject(new Error('full')),
  }
  const tokens = await createApiTokens({ store: failing, clock, adminToken })
  const token = (await tokens.create('ci', 'operator')) ?? ''
  await expect(tokens.delete('ci')).rejects.toThrow('full')
  expect(tokens.callerOf(token)?.name).toBe('ci')
})

it('keeps no token', async () => {
  const token = (await (await open()).create('ci', 'viewer')) ?? ''
  const { entries } = await store.list('')
  expect(entries).toHaveLength(1)
  expect(JSON.stringify(entries)).not.toContain(token)
})

it('appends to an audit log that only its owner may read', () => {
  const file = join(folder, 'audit.jsonl')
  writeFileSync(file, '{"before":1}\n', { mode: 0o644 })
  const entry = { role: 'admin', token: 'a', from: '127.0.0.1', request: 'PUT /v1/documents', status: 200 }
  const log = openAuditLog({ file, clock, logger: silentLogger })
  log.append({ ...entry, changes: [], revisionBefore: '1', revisionAfter: '2' })
  const [first, second] = readFileSync(file, 'utf8').trimEnd().split('\n')
  expect(first).toBe('{"before":1}')
  expect(JSON.parse(second ?? '')).toMatchObject({ ...entry, revisionBefore: '1', revisionAfter: '2' })
  expect(statSync(file).mode & 0o777).toBe(0o600)
})

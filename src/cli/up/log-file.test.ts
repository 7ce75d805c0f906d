import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, expect, it, vi } from 'vitest'

import { LogFile } from './log-file.ts'

let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-logs-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true })
})

function textOf(name: string): string {
  return readFileSync(join(folder, 'logs', name), 'utf8')
}

it('keeps so much and no more, the newest last', async () => {
  const log = new LogFile(folder, 'app', 40)
  for (let i = 0; i < 60; i++) {
    log.line(`line ${String(i).padStart(4, '0')}`)
    // each file is open before it is full
    if (i % 4 === 0) await vi.waitFor(() => expect(textOf('app.log')).toContain(`line ${String(i).padStart(4, '0')}`))
  }
  log.close()
  await vi.waitFor(() => expect(textOf('app.log')).toContain('line 0059\n'))
  expect(readdirSync(join(folder, 'logs')).toSorted()).toEqual(['app.1.log', 'app.2.log', 'app.3.log', 'app.log'])
  const all = ['app.3.log', 'app.2.log', 'app.1.log', 'app.log'].map(textOf).join('')
  const lines = all.trim().split('\n')
  expect(lines).toEqual(lines.toSorted())
  expect(lines.length).toBeGreaterThanOrEqual(13)
  expect(lines.length).toBeLessThanOrEqual(16)
})

it('goes on in the file of before', async () => {
  const first = new LogFile(folder, 'app')
  first.line('one')
  first.close()
  await vi.waitFor(() => expect(textOf('app.log')).toBe('one\n'))
  const second = new LogFile(folder, 'app')
  second.line('two')
  second.close()
  await vi.waitFor(() => expect(textOf('app.log')).toBe('one\ntwo\n'))
})

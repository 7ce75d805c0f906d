import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { systemClock } from '../../core/clock.ts'
import type { Clock } from '../../core/clock.ts'
import { silentLogger } from '../../core/logger.ts'
import { createFileSource } from './file-source.ts'
import type { Source } from './source.ts'

let folder: string
let source: Source | undefined

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-files-'))
})

afterEach(() => {
  source?.stop()
  source = undefined
  rmSync(folder, { recursive: true, force: true })
})

function path(name: string): string {
  return join(folder, name)
}

async function started(paths: readonly string[], clock: Clock = systemClock): Promise<Source> {
  source = createFileSource({ paths, clock, logger: silentLogger })
  await source.start()
  return source
}

/** "name: text" of each file, or "name! error". */
function contents(from: Source): string[] {
  return from.files.value.map((file) => {
    const name = file.path.slice(folder.length + 1)
    return 'error' in file ? `${name}! ${file.error}` : `${name}: ${file.text}`
  })
}

async function becomes(from: Source, expected: readonly string[]): Promise<void> {
  await vi.waitFor(() => expect(contents(from)).toEqual(expected), { timeout: 5000, interval: 2 })
}

describe('createFileSource', () => {
  it('reads YAML and JSON of a folder and its subfolders, and leaves hidden and other files alone', async () => {
    mkdirSync(path('sub/.hidden'), { recursive: true })
    for (const name of ['b.yaml', 'a.yml', 'sub/c.JSON', '.#b.yaml', 'b.yaml~', 'notes.txt', 'sub/.hidden/d.yaml'])
      writeFileSync(path(name), name)
    const files = await started([folder])
    expect(contents(files)).toEqual(['a.yml: a.yml', 'b.yaml: b.yaml', 'sub/c.JSON: sub/c.JSON'])
    expect(files.files.value[2]).toMatchObject({ folder: path('sub') })
  })

  it('sees a write, an atomic save by rename, a new file, a removed file and a new subfolder', async () => {
    writeFileSync(path('a.yaml'), '1')
    const files = await started([folder])
    writeFileSync(path('a.yaml'), '2')
    await becomes(files, ['a.yaml: 2'])
    writeFileSync(path('.a.yaml.swp'), '3')
    renameSync(path('.a.yaml.swp'), path('a.yaml'))
    await becomes(files, ['a.yaml: 3'])
    writeFileSync(path('b.yaml'), 'b')
    await becomes(files, ['a.yaml: 3', 'b.yaml: b'])
    rmSync(path('a.yaml'))
    await becomes(files, ['b.yaml: b'])
    mkdirSync(path('sub'))
    await vi.waitFor(() => expect(contents(files)).toEqual(['b.yaml: b']))
    writeFileSync(path('sub/c.yaml'), 'c')
    await becomes(files, ['b.yaml: b', 'sub/c.yaml: c'])
  })

  it('follows a single named file through renames over it, and ignores its neighbours', async () => {
    writeFileSync(path('mesh'), '1')
    const files = await started([path('mesh')])
    let changes = 0
    files.files.subscribe(() => changes++)
    for (let text = 2; text <= 4; text++) {
      writeFileSync(path('neighbour.yaml'), String(text))
      writeFileSync(path('next'), String(text))
      renameSync(path('next'), path('mesh'))
      await becomes(files, [`mesh: ${text}`])
    }
    expect(changes).toBe(3)
  })

  it('reads the newest of many quick writes of the same length', async () => {
    writeFileSync(path('a.yaml'), '100')
    const files = await started([folder])
    for (let text = 101; text <= 400; text++) writeFileSync(path('a.yaml'), String(text))
    await becomes(files, ['a.yaml: 400'])
  })

  it('tells a file that never was from one that was removed', async () => {
    writeFileSync(path('a.yaml'), 'a')
    const files = await started([path('a.yaml'), path('missing.yaml')])
    expect(contents(files)).toEqual(['a.yaml: a', 'missing.yaml! no such file or folder'])
    rmSync(path('a.yaml'))
    await becomes(files, ['missing.yaml! no such file or folder'])
    writeFileSync(path('missing.yaml'), 'here')
    await becomes(files, ['missing.yaml: here'])
  })

  it('reports what is not UTF-8, and goes on', async () => {
    writeFileSync(path('a.yaml'), Buffer.from([0xff, 0xfe, 0x41]))
    writeFileSync(path('b.yaml'), 'b')
    const files = await started([folder])
    expect(contents(files)[0]).toMatch(/^a\.yaml! .*encoded data was not valid/)
    expect(contents(files)[1]).toBe('b.yaml: b')
  })

  it.skipIf(process.getuid?.() === 0)('reports what it may not read', async () => {
    writeFileSync(path('a.yaml'), 'a')
    chmodSync(path('a.yaml'), 0)
    expect(contents(await started([folder]))[0]).toMatch(/^a\.yaml! EACCES/)
  })

  it('is not led in circles by links', async () => {
    writeFileSync(path('a.yaml'), 'a')
    symlinkSync(folder, path('loop'))
    symlinkSync(path('nowhere'), path('dangling.yaml'))
    expect(contents(await started([folder]))).toEqual(['a.yaml: a'])
  })

  it('sees the links of a mounted ConfigMap swapped', async () => {
    for (const version of ['1', '2']) {
      mkdirSync(path(`..v${version}`))
      writeFileSync(path(`..v${version}/a.yaml`), version)
    }
    symlinkSync('..v1', path('..data'))
    symlinkSync('..data/a.yaml', path('a.yaml'))
    const files = await started([folder])
    expect(contents(files)).toEqual(['a.yaml: 1'])
    symlinkSync('..v2', path('..data_tmp'))
    renameSync(path('..data_tmp'), path('..data'))
    await becomes(files, ['a.yaml: 2'])
  })

  it('looks again by itself, should a watcher have missed something', async () => {
    const clock = new ManualClock()
    writeFileSync(path('a.yaml'), '1')
    const files = await started([folder], clock)
    // the watchers' own timer never runs on this clock until it is moved
    writeFileSync(path('a.yaml'), 'longer')
    clock.advance(3000)
    await becomes(files, ['a.yaml: longer'])
    await vi.waitFor(() => expect(clock.pendingCount).toBeGreaterThan(0))
  })

  it('publishes nothing when nothing changed, and nothing after it was stopped', async () => {
    writeFileSync(path('a.yaml'), '1')
    const clock = new ManualClock()
    const files = await started([folder], clock)
    const before = files.files.value
    clock.advance(3000)
    await vi.waitFor(() => expect(clock.pendingCount).toBe(1))
    expect(files.files.value).toBe(before)
    files.stop()
    writeFileSync(path('a.yaml'), '2')
    clock.advance(10_000)
    expect(clock.pendingCount).toBe(0)
    expect(files.files.value).toBe(before)
  })
})

import { execFile } from 'node:child_process'
import {
  appendFileSync,
  mkdtempSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { ManualClock } from '../../test/kit/manual-clock.ts'
import { LineFile, type LineResult } from './line-file.ts'

let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'heddle-lines-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

function writing(name = 'access.log') {
  const clock = new ManualClock()
  const told: string[] = []
  const counts: Partial<Record<LineResult, number>> = {}
  const path = join(folder, name)
  const file = new LineFile(path, { clock, tell: (problem) => told.push(problem) })
  const rotation = { longestBytes: 1_000, keptFiles: 2 }
  const write = (...lines: readonly string[]): void => {
    for (const line of lines)
      file.write(line, rotation, (result, how) => {
        counts[result] = (counts[result] ?? 0) + how
      })
  }
  /** All that has been written is there, or has failed. */
  const settle = async (): Promise<void> => {
    const before = sumOf(counts)
    clock.advance(100)
    await vi.waitFor(() => expect(sumOf(counts)).toBeGreaterThan(before))
  }
  return { clock, told, counts, path, file, write, settle }
}

function sumOf(counts: Partial<Record<LineResult, number>>): number {
  return Object.values(counts).reduce((a, b) => a + b, 0)
}

function textOf(name: string): string {
  return readFileSync(join(folder, name), 'utf8')
}

describe('a file of lines', () => {
  it('has what came within a tenth of a second in one write, for nobody else to read', async () => {
    const { write, settle, counts, path, file } = writing()
    write('one', 'two')
    await settle()
    expect(textOf('access.log')).toBe('one\ntwo\n')
    expect(counts).toEqual({ written: 2 })
    expect(statSync(path).mode & 0o777).toBe(0o600)
    await file.close()
  })

  it('makes place when it is full, and keeps so many', async () => {
    const { write, settle, file } = writing()
    for (let i = 0; i < 9; i++) {
      write(`${i}`.repeat(600))
      await settle()
    }
    await file.close()
    expect(readdirSync(folder).toSorted()).toEqual(['access.1.log', 'access.2.log', 'access.log'])
    expect(
      ['access.2.log', 'access.1.log', 'access.log'].map((name) => textOf(name).replaceAll(/(.)\1*\n/g, '$1')),
    ).toEqual(['45', '67', '8'])
  })

  it('goes on in a new one when somebody has taken it away, and says so when others write to it', async () => {
    const { write, settle, path, told, file } = writing()
    write('one')
    await settle()
    renameSync(path, join(folder, 'taken'))
    write('two')
    await settle()
    renameSync(path, join(folder, 'again'))
    appendFileSync(path, 'of another\n')
    write('three')
    await settle()
    appendFileSync(path, 'of another\n')
    write('four')
    await settle()
    expect(['taken', 'again', 'access.log'].map(textOf)).toEqual([
      'one\n',
      'two\n',
      'of another\nthree\nof another\nfour\n',
    ])
    expect(told).toEqual([expect.stringContaining('others write to it as well')])
    await file.close()
  })

  it('loses lines while its folder is not there, says so once, and comes back', async () => {
    const { write, settle, counts, told, file } = writing('gone/access.log')
    write('one')
    await settle()
    write('two')
    await settle()
    expect(counts).toEqual({ failed: 2 })
    expect(told).toEqual([expect.stringContaining('ENOENT')])
    mkdirSync(join(folder, 'gone'))
    write('three')
    await settle()
    expect(textOf('gone/access.log')).toBe('three\n')
    rmSync(join(folder, 'gone'), { recursive: true })
    write('four')
    await settle()
    expect(counts).toEqual({ failed: 3, written: 1 })
    expect(told).toHaveLength(2)
    await file.close()
  })

  it('has whole lines alone when the disk is full', async () => {
    const path = join(folder, 'full.log')
    const module = new URL('.', import.meta.url)
    // a limit on the length of files is met in the middle of a line, as a full disk is
    const script = `
      const { LineFile } = await import('${new URL('line-file.ts', module).href}')
      const { systemClock } = await import('${new URL('clock.ts', module).href}')
      process.on('SIGXFSZ', () => {})
      const counts = { written: 0, failed: 0 }
      const file = new LineFile(${JSON.stringify(path)}, { clock: systemClock, tell: (problem) => { counts.told = problem } })
      const rotation = { longestBytes: 1e9, keptFiles: 0 }
      for (let i = 0; i < 1000; i++) file.write('x'.repeat(70), rotation, (result, how) => { counts[result] += how })
      await file.close()
      console.log(JSON.stringify(counts))`
    const command = 'ulimit -f 16; exec "$0" --input-type=module --eval "$1"'
    const { stdout } = await promisify(execFile)('sh', ['-c', command, process.execPath, script])
    const counts = JSON.parse(stdout) as { written: number; failed: number; told: string }
    expect(counts.told).toContain('EFBIG')
    expect(counts.written).toBeGreaterThan(0)
    expect(counts.written + counts.failed).toBe(1_000)
    expect(textOf('full.log')).toBe(`${'x'.repeat(70)}\n`.repeat(counts.written))
  })

  it('does not write to what is no file', async () => {
    const { write, settle, counts, told } = writing('folder.log')
    mkdirSync(join(folder, 'folder.log'))
    write('one')
    await settle()
    expect(counts).toEqual({ failed: 1 })
    expect(told).toEqual([expect.stringContaining('EISDIR')])
  })

  it('keeps a mebibyte while a write takes long, and drops the others', async () => {
    const { write, counts, file } = writing()
    const line = 'x'.repeat(100_000)
    write(line)
    for (let i = 0; i < 20; i++) write(line)
    expect(counts).toEqual({ overflow: 10 })
    await file.close()
    expect(counts).toEqual({ overflow: 10, written: 11 })
  })
})

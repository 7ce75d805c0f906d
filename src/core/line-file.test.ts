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
    appendFileSync(path, 'of another\n')
    write('three')
    await settle()
    expect([textOf('taken'), textOf('access.log')]).toEqual(['one\n', 'two\nof another\nthree\n'])
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

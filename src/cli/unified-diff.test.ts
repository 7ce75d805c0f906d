import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { unifiedDiff } from './unified-diff.ts'

const names = { before: 'a', after: 'b' }

describe('unifiedDiff', () => {
  it('is empty for equal texts', () => {
    expect(unifiedDiff('x\n', 'x\n', names)).toBe('')
  })

  it('shows changed lines with three lines around them', () => {
    const before = '1\n2\n3\n4\n5\n6\n7\n8\n9\n'
    expect(unifiedDiff(before, before.replace('5', 'five'), names)).toBe(
      '--- a\n+++ b\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n',
    )
  })

  it('shows a new text as added and a gone one as removed', () => {
    expect(unifiedDiff('', 'x\n', names)).toBe('--- a\n+++ b\n@@ -0,0 +1,1 @@\n+x\n')
    expect(unifiedDiff('x\n', '', names)).toBe('--- a\n+++ b\n@@ -1,1 +0,0 @@\n-x\n')
  })

  it('makes what git applies', () => {
    const folder = mkdtempSync(join(tmpdir(), 'heddle-diff-'))
    const file = join(folder, 'text')
    const text = fc
      .array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 14 })
      .map((lines) => `${lines.join('\n')}\n`)
    try {
      fc.assert(
        fc.property(text, text, (before, after) => {
          writeFileSync(file, before)
          const diff = unifiedDiff(before, after, { before: 'a/text', after: 'b/text' })
          if (diff === '') return before === after
          const { status } = spawnSync('git', ['apply', '-'], { input: diff, cwd: folder })
          return status === 0 && readFileSync(file, 'utf8') === after
        }),
        { numRuns: 25 },
      )
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

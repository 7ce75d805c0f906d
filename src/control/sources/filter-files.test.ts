import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, describe, expect, it, onTestFinished } from 'vitest'

import { until } from '../../../test/kit/until.ts'
import { systemClock } from '../../core/clock.ts'
import type { ModelDocument } from '../model/document.ts'
import { Model } from '../model/model.ts'
import { FilterFiles } from './filter-files.ts'

const folder = mkdtempSync(join(tmpdir(), 'heddle-filter-files-'))
const path = join(folder, 'a.ts')
const id = 'Filter/default/a'

afterAll(() => rmSync(folder, { recursive: true, force: true }))

const text = `apiVersion: heddle.dev/v1alpha1\nkind: Filter\nmetadata: { name: a }\nspec: { typescript: { file: a.ts } }\n`
const documents: readonly ModelDocument[] = new Model().update([{ path: 'mesh.yaml', text, folder }]).documents

function start(): FilterFiles {
  const files = new FilterFiles(systemClock)
  onTestFinished(() => files.stop())
  return files
}

describe('files of filters', () => {
  it('are read again when they change, however they are saved', async () => {
    writeFileSync(path, 'export default { a: 1 }')
    const files = start()
    expect(files.read(documents).code.get(id)?.code).toBe('export default { a: 1 }')

    writeFileSync(path, 'export default { a: 2 }')
    await until('it is seen', () => files.changes.value >= 1)
    expect(files.read(documents).code.get(id)?.code).toBe('export default { a: 2 }')

    const seen = files.changes.value
    writeFileSync(`${path}.new`, 'export default { a: 3 }')
    renameSync(`${path}.new`, path)
    await until('it is seen', () => files.changes.value > seen)
    const { code, changed } = files.read(documents)
    expect(code.get(id)?.code).toBe('export default { a: 3 }')
    expect(changed).toEqual([path])
    expect(files.read(documents).changed).toEqual([])
  })

  it('leave the last good code in force', () => {
    writeFileSync(path, 'export default { a: 1 }')
    const files = start()
    files.read(documents)
    for (const bad of ['export default {', '']) {
      writeFileSync(path, bad)
      const { code, problems, stale } = files.read(documents)
      expect(code.get(id)?.code).toBe('export default { a: 1 }')
      expect(problems.map((one) => [one.code, one.document])).toEqual([['HDL016', id]])
      expect([...stale]).toEqual([id])
    }
    rmSync(path)
    expect(files.read(documents).code.get(id)?.code).toBe('export default { a: 1 }')
    // who is gone is forgotten
    files.read([])
    expect(files.read(documents).code.has(id)).toBe(false)
  })

  it('are found when they come late', async () => {
    rmSync(path, { force: true })
    const files = start()
    expect(files.read(documents).problems).toHaveLength(1)
    writeFileSync(path, 'export default {}')
    await until('it is seen', () => files.changes.value > 0)
    expect(files.read(documents).problems).toEqual([])
  })
})

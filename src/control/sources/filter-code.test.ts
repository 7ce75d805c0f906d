import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, describe, expect, it } from 'vitest'

import { formatProblem } from '../../contracts/problem.ts'
import type { ModelDocument } from '../model/document.ts'
import { Model } from '../model/model.ts'
import { readFilterCode } from './filter-code.ts'

const root = mkdtempSync(join(tmpdir(), 'heddle-filter-'))
const folder = join(root, 'mesh')

afterEach(() => rmSync(root, { recursive: true, force: true }))

function filter(typescript: string, at: string | undefined = folder): ModelDocument<'Filter'> {
  const text = `apiVersion: heddle.dev/v1alpha1\nkind: Filter\nmetadata: { name: tried }\nspec: { typescript: ${typescript} }\n`
  const file = { path: 'mesh/mesh.yaml', text, ...(at === '' ? {} : { folder: at }) }
  const { documents, problems } = new Model().update([file])
  expect(problems).toEqual([])
  return documents[0] as ModelDocument<'Filter'>
}

function read(text: string, name = 'a.ts'): string {
  mkdirSync(join(folder, 'filters'), { recursive: true })
  writeFileSync(join(folder, name), text)
  return outcome(filter(`{ file: ${name} }`))
}

function outcome(document: ModelDocument<'Filter'>): string {
  const result = readFilterCode(document)
  return 'code' in result ? result.code : formatProblem(result.problem)
}

describe('the code of a filter', () => {
  it('is its text with blanks for types', () => {
    expect(
      read("import type { Filter } from 'heddle/filter'\nexport default {} satisfies Filter\n", 'filters/a.ts'),
    ).toBe('                                           \nexport default {}                 \n')
  })

  it.each(['node:crypto', 'node:zlib'])('may import %s', (name) => {
    expect(read(`import * as one from '${name}'\nexport default {}`)).toContain('export default')
  })

  it.each([
    ["import { readFileSync } from 'node:fs'", 1, 30, 'node:fs'],
    ["import fs from 'fs'", 1, 16, 'fs'],
    ["\n  import './other.ts'", 2, 10, './other.ts'],
    ["import {\n  a,\n  b,\n} from 'lodash'", 4, 8, 'lodash'],
    ["export * from 'lodash'", 1, 15, 'lodash'],
  ])('cannot %j', (text, line, column, name) => {
    expect(read(`${text}\nexport default {}`)).toContain(
      `mesh/a.ts:${line}:${column}: error HDL016: a filter cannot import "${name}"`,
    )
  })

  it('may speak of importing', () => {
    const text =
      "// import fs from 'fs'\nconst said = \"import x from 'y'\"\nexport default { onRequest() { return said } }\n"
    expect(read(text)).toBe(text)
  })

  it.each([
    ['const a = 1\nenum A { b }\nexport default {}', 'mesh/a.ts:2:1: error HDL016: TypeScript enum is not supported'],
    ['export default {\n  a b\n}', 'mesh/a.ts:2:5: error HDL016: Unexpected token'],
    ['export const a = {}', 'mesh/a.ts:1:1: error HDL016: a filter needs a default export'],
    ['', 'mesh/a.ts:1:1: error HDL016: a filter needs a default export'],
  ])('is refused at its place: %j', (text, problem) => {
    expect(read(text)).toContain(problem)
  })

  it('may stand in the document', () => {
    expect(outcome(filter("{ code: 'export default {}' }", ''))).toBe('export default {}')
    expect(outcome(filter("{ code: 'export const a = 1' }", ''))).toContain(
      'mesh/mesh.yaml:4:29: error HDL016: line 1:',
    )
  })

  it('has to be below the folder of the document, wherever links lead', () => {
    mkdirSync(join(folder, 'filters'), { recursive: true })
    writeFileSync(join(root, 'secret.ts'), 'export default {}')
    symlinkSync(join(root, 'secret.ts'), join(folder, 'link.ts'))
    symlinkSync(root, join(folder, 'up'))
    for (const file of ['link.ts', 'up/secret.ts'])
      expect(outcome(filter(`{ file: ${file} }`))).toContain(
        `mesh/mesh.yaml:4:29: error HDL009: "${file}" leads out of the folder of the document`,
      )
    // as Kubernetes mounts a ConfigMap
    mkdirSync(join(folder, '..data'))
    writeFileSync(join(folder, '..data/b.ts'), 'export default {}')
    symlinkSync('..data/b.ts', join(folder, 'b.ts'))
    expect(outcome(filter('{ file: b.ts }'))).toBe('export default {}')
  })

  it('is missed where it is not, or cannot be', () => {
    mkdirSync(folder, { recursive: true })
    expect(outcome(filter('{ file: no.ts }'))).toContain('HDL001: there is no file "no.ts"')
    expect(outcome(filter('{ file: no.ts }', ''))).toContain('HDL001: there is no folder to find "no.ts" in')
    expect(read(`export default {}\n//${' '.repeat(262_144)}`)).toContain('HDL010: "a.ts" has more than 262144 bytes')
  })
})

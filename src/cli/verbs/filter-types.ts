// The types of TypeScript filters, for `heddle analyze`: checked by the compiler that is installed beside them, or beside Heddle.
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import type { Problem } from '../../contracts/problem.ts'
import { documentProblem } from '../../control/model/document.ts'
import type { ModelDocument } from '../../control/model/document.ts'
import { filterFile, readFilterCode } from '../../control/sources/filter-code.ts'
import type { CliHost } from '../host.ts'

type Filter = ModelDocument<'Filter'>

interface Checked {
  readonly filter: Filter
  /** That the compiler reads. */
  readonly path: string
  /** As problems call it; undefined: the text stands in the document. */
  readonly shown: string | undefined
}

/** Of filters whose code could be read. That nothing could be checked is a problem too: a warning. */
export async function checkFilterTypes(
  documents: readonly ModelDocument[],
  host: Pick<CliHost, 'selfCommand'>,
): Promise<readonly Problem[]> {
  const filters = documents.filter(
    (one): one is Filter => one.kind === 'Filter' && one.spec.typescript !== undefined && 'code' in readFilterCode(one),
  )
  const [first] = filters
  if (first === undefined) return []
  const compiler = findCompiler(first.folder)
  if (compiler === undefined) {
    const message = 'the types of filters are not checked: there is no TypeScript'
    const hint = 'Run npm install --save-dev typescript @types/node.'
    return [documentProblem(first, 'HDL016', 'warning', ['spec', 'typescript'], message, hint)]
  }
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'heddle-types-')))
  try {
    const checked = filters.map((filter, index) => place(filter, join(folder, `code-${index}.ts`)))
    const project = join(folder, 'tsconfig.json')
    writeFileSync(
      project,
      JSON.stringify({ compilerOptions: optionsFor(compiler), files: checked.map(({ path }) => path) }),
    )
    const output = await run(host.selfCommand[0], [compiler.tsc, '-p', project, '--pretty', 'false'], folder)
    return problemsOf(output, folder, checked)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function place(filter: Filter, inlineFile: string): Checked {
  const file = filterFile(filter)
  const { file: written = '', code = '' } = filter.spec.typescript ?? {}
  if (file !== undefined) return { filter, path: realpathSync(file), shown: join(dirname(filter.file), written) }
  writeFileSync(inlineFile, code)
  return { filter, path: inlineFile, shown: undefined }
}

interface Compiler {
  readonly tsc: string
  /** Folder that has `node`, the types of Node. */
  readonly typeRoot: string
}

function findCompiler(folder: string | undefined): Compiler | undefined {
  const places = [import.meta.url, ...(folder === undefined ? [] : [join(folder, 'any.js')])]
  for (const from of places.toReversed()) {
    try {
      const { resolve } = createRequire(from)
      const tsc = join(dirname(resolve('typescript/package.json')), 'bin/tsc')
      return { tsc, typeRoot: dirname(dirname(resolve('@types/node/package.json'))) }
    } catch {
      // not installed there
    }
  }
  return undefined
}

function optionsFor({ typeRoot }: Compiler): Record<string, unknown> {
  return {
    noEmit: true,
    strict: true,
    target: 'es2024',
    lib: ['es2024'],
    module: 'preserve',
    moduleDetection: 'force',
    erasableSyntaxOnly: true,
    verbatimModuleSyntax: true,
    skipLibCheck: true,
    types: ['node'],
    typeRoots: [typeRoot],
    paths: { 'heddle/filter': [fileURLToPath(import.meta.resolve('heddle/filter'))] },
  }
}

/** What it says; it exits with an error when it finds one. */
function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { cwd, maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      if (error !== null && stdout === '')
        reject(new Error(`the TypeScript compiler failed: ${stderr || error.message}`))
      else resolve(stdout)
    })
  })
}

/** Lines of the form `file(line,column): error TS1234: message`; further lines of a message are indented. */
function problemsOf(output: string, folder: string, checked: readonly Checked[]): Problem[] {
  return output.split(/\n(?=\S)/).flatMap((text): Problem[] => {
    const match = /^(.+?)\((\d+),(\d+)\): error (TS\d+): ([\s\S]*)$/.exec(text)
    if (match === null) {
      if (text.includes('error TS')) throw new Error(`the TypeScript compiler said: ${text}`)
      return []
    }
    const [, file = '', line = '', column = '', code = '', message = ''] = match
    const found = checked.find(({ path }) => path === absolute(file, folder))
    if (found === undefined) return []
    const said = `${code}: ${message.trim().replaceAll(/\s*\n\s*/g, ' ')}`
    return [{ ...problemAt(found, said, Number(line), Number(column)) }]
  })
}

function absolute(file: string, folder: string): string {
  return realpathSync(file.startsWith('/') ? file : join(folder, file))
}

function problemAt({ filter, path, shown }: Checked, said: string, line: number, column: number): Problem {
  const written = ['spec', 'typescript', shown === undefined ? 'code' : 'file']
  const source = readFileSync(path, 'utf8').split('\n')[line - 1]?.trim() ?? ''
  const message = shown === undefined ? `line ${line} of the code, "${source}": ${said}` : said
  return {
    ...documentProblem(filter, 'HDL016', 'error', written, message),
    ...(shown === undefined ? {} : { position: { file: shown, line, column } }),
  }
}

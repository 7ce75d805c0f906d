// The code of a TypeScript filter: its file read, its types taken out, and what can be told without running it.
import { createHash } from 'node:crypto'
import { readFileSync, realpathSync } from 'node:fs'
import { dirname, join, resolve, sep } from 'node:path'

import type { Problem } from '../../contracts/problem.ts'
import { errorCode, errorMessage } from '../../core/errors.ts'
import { stripTypes } from '../../core/strip-types.ts'
import { mostCodeBytes } from '../../policies/typescript-filter/typescript-filter.schema.ts'
import { documentProblem } from '../model/document.ts'
import type { ModelDocument } from '../model/document.ts'

export interface FilterCode {
  /** JavaScript. */
  readonly code: string
  /** Of `code`, in hexadecimal. */
  readonly sha256: string
}

/** For documents whose file has never been any that can be used. */
export function withoutCode(): FilterCode {
  return coded('throw new Error("it has no code that can be used: heddle analyze says why")\n')
}

type Filter = ModelDocument<'Filter'>

/** What only computes. Everything else of Node and every package is for the proxy, not for what runs in it. */
const importable: readonly string[] = [
  'node:buffer',
  'node:crypto',
  'node:querystring',
  'node:string_decoder',
  'node:url',
  'node:util',
  'node:zlib',
]

/** Undefined: it has no file. */
export function filterFile({ folder, spec }: Filter): string | undefined {
  const file = spec.typescript?.file
  return file === undefined || folder === undefined ? undefined : resolve(folder, file)
}

export function readFilterCode(filter: Filter): FilterCode | { readonly problem: Problem } {
  const settings = filter.spec.typescript
  if (settings?.code !== undefined) return compile(filter, settings.code, undefined)
  const path = filterFile(filter)
  const file = settings?.file ?? ''
  const wrong = (code: Problem['code'], message: string, hint: string): { readonly problem: Problem } => ({
    problem: documentProblem(filter, code, 'error', ['spec', 'typescript', 'file'], message, hint),
  })
  if (path === undefined || filter.folder === undefined)
    return wrong(
      'HDL001',
      `there is no folder to find "${file}" in: the document came without a file`,
      'Write the text in "code" in the place of "file", or start the mesh with the folder (-f).',
    )
  try {
    const real = realpathSync(path)
    if (!real.startsWith(realpathSync(filter.folder) + sep))
      return wrong('HDL009', `"${file}" leads out of the folder of the document`, 'Put a copy into the folder.')
    const text = readFileSync(real, 'utf8')
    if (Buffer.byteLength(text) > mostCodeBytes)
      return wrong('HDL010', `"${file}" has more than ${mostCodeBytes} bytes`, 'A filter is one small file.')
    return compile(filter, text, join(dirname(filter.file), file))
  } catch (error) {
    const missing = errorCode(error) === 'ENOENT'
    return wrong(
      'HDL001',
      missing ? `there is no file "${file}"` : `"${file}" cannot be read: ${errorMessage(error)}`,
      'The path starts from the folder of the document.',
    )
  }
}

/** `shownFile`: undefined where the text stands in the document itself. */
function compile(
  filter: Filter,
  text: string,
  shownFile: string | undefined,
): FilterCode | { readonly problem: Problem } {
  const path = ['spec', 'typescript', shownFile === undefined ? 'code' : 'file']
  const wrong = (line: number, column: number, message: string, hint: string): { readonly problem: Problem } => ({
    problem: {
      ...documentProblem(
        filter,
        'HDL016',
        'error',
        path,
        shownFile === undefined ? `line ${line}: ${message}` : message,
        hint,
      ),
      ...(shownFile === undefined ? {} : { position: { file: shownFile, line, column } }),
    },
  })
  const stripped = stripTypes(text)
  if ('fault' in stripped) {
    const { message, line, column } = stripped.fault
    return wrong(
      line,
      column,
      message,
      'Types are only taken out: enums, namespaces with values and parameter properties would have to be compiled.',
    )
  }
  const { code } = stripped
  for (const match of code.matchAll(/^[\t ]*(?:import|export)\b[^'"`;()=]*?(['"])([^'"\n]+)\1/gm)) {
    const specifier = match[2] as string
    if (importable.includes(specifier)) continue
    const before = code.slice(0, match.index + match[0].lastIndexOf(specifier) - 1).split('\n')
    return wrong(
      before.length,
      (before.at(-1) as string).length + 1,
      `a filter cannot import "${specifier}"`,
      `It is a single file: types (import type) and ${importable.join(', ')} are what it may import.`,
    )
  }
  if (!/\bexport\s+default\b|\bas\s+default\b/.test(code))
    return wrong(
      1,
      1,
      'a filter needs a default export',
      'Export the handlers, or a function of the config that returns them.',
    )
  return coded(code)
}

function coded(code: string): FilterCode {
  return { code, sha256: createHash('sha256').update(code).digest('hex') }
}

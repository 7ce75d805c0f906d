// The text of `-f` arguments: files, folders, standard input.
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'

import { errorMessage } from '../../core/errors.ts'
import { CliError } from '../cli-error.ts'
import type { CliContext } from '../context.ts'

const standardInput = 0

/** All documents as one YAML stream. Throws CliError when something cannot be read or there is nothing. */
export function readDocuments(context: CliContext, paths: readonly string[]): string {
  const texts = paths.flatMap((path) => readPath(context, path))
  if (texts.length === 0) throw new CliError('no documents', { hint: 'name a file or folder with -f' })
  return texts.join('\n---\n')
}

function readPath(context: CliContext, path: string): string[] {
  try {
    if (path === '-') return [readFileSync(standardInput, 'utf8')]
    const absolute = resolve(context.host.workingDirectory, path)
    if (!statSync(absolute).isDirectory()) return [readFileSync(absolute, 'utf8')]
    return readdirSync(absolute)
      .filter((name) => /\.ya?ml$/.test(name) && !name.startsWith('.'))
      .toSorted((a, b) => (a < b ? -1 : 1))
      .map((name) => readFileSync(join(absolute, name), 'utf8'))
  } catch (error) {
    throw new CliError(`HDL001: cannot read ${path}: ${errorMessage(error)}`)
  }
}

// The texts of `-f` arguments: files, folders (searched as `up` searches them), standard input.
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

import { createFileSource } from '../../control/sources/file-source.ts'
import type { SourceFile } from '../../control/sources/source.ts'
import { silentLogger } from '../../core/logger.ts'
import { CliError } from '../cli-error.ts'
import type { CliContext } from '../context.ts'

const standardInput = 0

/** What cannot be read is an entry with an error. */
export async function readDocumentFiles(
  { host }: CliContext,
  paths: readonly string[],
): Promise<readonly SourceFile[]> {
  const source = createFileSource({
    paths: paths.filter((path) => path !== '-').map((path) => resolve(host.workingDirectory, path)),
    clock: host.clock,
    logger: silentLogger,
  })
  await source.start()
  source.stop()
  if (!paths.includes('-')) return source.files.value
  return [...source.files.value, { path: '<stdin>', text: readFileSync(standardInput, 'utf8') }]
}

/** All documents as one YAML stream. Throws CliError when something cannot be read or there is nothing. */
export async function readDocuments(context: CliContext, paths: readonly string[]): Promise<string> {
  const files = await readDocumentFiles(context, paths)
  if (files.length === 0) throw new CliError('no documents', { hint: 'name a file or folder with -f' })
  return files
    .map((file) => {
      if ('error' in file) throw new CliError(`HDL001: cannot read ${file.path}: ${file.error}`)
      return file.text
    })
    .join('\n---\n')
}

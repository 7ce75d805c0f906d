// All files → the documents in force. A document that turned bad is replaced by its last good version; a removed file takes its documents along.
import type { Problem } from '../../contracts/problem.ts'
import type { SourceFile } from '../sources/source.ts'
import type { ModelDocument } from './document.ts'
import type { KindName } from './kinds.ts'
import { parseFile } from './parse-file.ts'
import type { ParsedFile } from './parse-file.ts'

export interface ModelState {
  /** In the order of the files. No two have the same id. */
  readonly documents: readonly ModelDocument[]
  readonly problems: readonly Problem[]
  /** Documents whose newest text is bad: the last good version is in force. */
  readonly stale: ReadonlySet<string>
}

interface FileState {
  readonly parsed: ParsedFile
  readonly documents: readonly ModelDocument[]
  readonly stale: readonly string[]
}

export class Model {
  #files = new Map<string, FileState>()
  #recorded: ReadonlyMap<string, string>

  /** `recorded`: texts of what was in force when the last process ended, by document id; until the first update. */
  constructor(recorded: ReadonlyMap<string, string> = new Map()) {
    this.#recorded = recorded
  }

  /** Takes the files as they are now. A file whose object is the same as last time is not looked at again. */
  update(files: readonly SourceFile[]): ModelState {
    const next = new Map<string, FileState>()
    for (const file of files) next.set(file.path, fileState(file, this.#files.get(file.path)))
    if (this.#recorded.size > 0) this.#resume(next)
    this.#recorded = new Map()
    this.#files = next
    return merge([...next.values()])
  }

  /** What is bad now was good before a restart: a policy that stands in the way shall not be gone by it. */
  #resume(files: Map<string, FileState>): void {
    const good = new Set([...files.values()].flatMap(({ documents }) => documents.map(({ id }) => id)))
    const lost = [...this.#recorded].filter(([id]) => !good.has(id))
    for (const [path, { parsed }] of files) {
      const bad = parsed.entries.filter(({ document }) => document === undefined).map(({ id }) => id)
      const wanted = bad.includes(undefined) ? lost : lost.filter(([id]) => bad.includes(id))
      const folder = 'folder' in parsed.file ? { folder: parsed.file.folder } : {}
      const lastGood = wanted.flatMap(([, text]) => parseFile({ path, text, ...folder }).entries)
      const documents = lastGood.flatMap(({ document }) => document ?? [])
      if (documents.length > 0) files.set(path, withLastGood(parsed, documents))
    }
  }
}

export function documentsOfKind<K extends KindName>(
  documents: readonly ModelDocument[],
  kind: K,
): readonly ModelDocument<K>[] {
  return documents.filter((document) => document.kind === kind) as unknown as readonly ModelDocument<K>[]
}

function fileState(file: SourceFile, before: FileState | undefined): FileState {
  if (before !== undefined && sameContent(before.parsed.file, file)) return before
  return withLastGood(parseFile(file, before?.parsed), before?.documents ?? [])
}

function withLastGood(parsed: ParsedFile, before: readonly ModelDocument[]): FileState {
  const named = new Set(parsed.entries.map((entry) => entry.id))
  const lastGood = new Map(before.map((document) => [document.id, document]))
  const documents: ModelDocument[] = []
  const stale: string[] = []
  const keep = (document: ModelDocument | undefined): void => {
    if (document === undefined || stale.includes(document.id)) return
    documents.push(document)
    stale.push(document.id)
  }
  for (const { id, document } of parsed.entries) {
    if (document !== undefined) documents.push(document)
    else if (id !== undefined) keep(lastGood.get(id))
  }
  // what is missing from a file with an error may only not be written yet, or be what cannot be told apart: nothing is removed
  if (parsed.entries.some((entry) => entry.document === undefined))
    for (const document of before) if (!named.has(document.id)) keep(document)
  return { parsed, documents, stale }
}

function sameContent(a: SourceFile, b: SourceFile): boolean {
  if (a === b) return true
  if ('error' in a || 'error' in b) return 'error' in a && 'error' in b && a.error === b.error
  return a.text === b.text && a.folder === b.folder
}

function merge(files: readonly FileState[]): ModelState {
  const byId = new Map<string, ModelDocument>()
  const stale = new Set<string>()
  const problems = files.flatMap((file) => file.parsed.problems)
  for (const file of files)
    for (const document of file.documents) {
      const first = byId.get(document.id)
      const isStale = file.stale.includes(document.id)
      if (first === undefined || (stale.has(document.id) && !isStale)) {
        byId.set(document.id, document)
        if (isStale) stale.add(document.id)
        else stale.delete(document.id)
        continue
      }
      // a last good version gives way to the document's new home
      if (isStale) continue
      const { file: where, line } = first.position
      problems.push({
        code: 'HDL007',
        severity: 'error',
        message: `${document.id} is declared already at ${where}:${line}; that one is in force`,
        hint: 'Remove or rename one of them.',
        position: document.locate(['metadata', 'name']),
        document: document.id,
        path: 'metadata.name',
      })
    }
  return { documents: [...byId.values()], problems, stale }
}

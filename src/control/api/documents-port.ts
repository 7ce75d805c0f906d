// The documents in force as the API shows them, and what `apply` and `delete` do to the store behind them.
import { isDeepStrictEqual } from 'node:util'

import type { AppliedDocument, ApplyResult, DocumentKey, DocumentView } from '../../contracts/control-api.ts'
import type { Problem } from '../../contracts/problem.ts'
import { analyzeFiles } from '../configuration.ts'
import type { Configuration } from '../configuration.ts'
import { documentText, toManifest } from '../model/document.ts'
import type { ModelDocument } from '../model/document.ts'
import { parseFile } from '../model/parse-file.ts'
import type { SourceFile } from '../sources/source.ts'
import { appliedPrefix } from '../sources/store-source.ts'
import type { AppliedDocuments } from '../store/applied-documents.ts'
import type { DocumentsPort } from './control-api-deps.ts'

export interface DocumentsPortOptions {
  readonly configuration: Configuration
  readonly files: () => readonly SourceFile[]
  readonly applied: Pick<AppliedDocuments, 'put' | 'delete'>
}

export function createDocumentsPort({ configuration, files, applied }: DocumentsPortOptions): DocumentsPort {
  const find = (id: string): ModelDocument | undefined =>
    configuration.documents().find((document) => document.id === id)
  const result = (documents: readonly AppliedDocument[], problems: readonly Problem[]): ApplyResult => ({
    revision: configuration.snapshot.value.revision,
    documents,
    problems,
  })

  return {
    list: (filter) =>
      configuration
        .documents()
        .filter((document) => fits(document, filter))
        .map((document) => view(document, configuration)),

    async apply(yaml, { dryRun }) {
      const parsed = parseFile({ path: 'applied', text: yaml })
      const wanted = parsed.entries.flatMap(({ document }) => (document === undefined ? [] : [document]))
      const problems = [
        ...parsed.problems,
        ...wanted.flatMap((document) => writtenInFile(document, find(document.id))),
        ...newProblems(files(), wanted),
      ]
      const documents = wanted.map((document) => change(document, find(document.id)))
      if (dryRun || problems.some(({ severity }) => severity === 'error')) return result(documents, problems)
      const changed = wanted.filter((_, index) => documents[index]?.action !== 'unchanged')
      await applied.put(changed.map((document) => ({ key: document.id, text: documentText(document) })))
      return result(documents, problems)
    },

    async delete(key) {
      const document = configuration.documents().find((one) => fits(one, key))
      if (document === undefined) return undefined
      const problems = writtenInFile(document, document)
      if (problems.length > 0) return result([], problems)
      await applied.delete([document.id])
      const { kind, namespace, name } = document
      return result([{ kind, namespace, name, action: 'deleted', before: toManifest(document) }], [])
    },
  }
}

function fits(document: ModelDocument, filter: Partial<DocumentKey>): boolean {
  return (
    (filter.kind === undefined || filter.kind.toLowerCase() === document.kind.toLowerCase()) &&
    (filter.namespace === undefined || filter.namespace === document.namespace) &&
    (filter.name === undefined || filter.name === document.name)
  )
}

function isApplied(document: ModelDocument): boolean {
  return document.file.startsWith(appliedPrefix)
}

function view(document: ModelDocument, configuration: Configuration): DocumentView {
  const { apiVersion, kind, namespace, name } = document
  const status = configuration.statuses.get(document.id)
  return {
    apiVersion,
    kind,
    namespace,
    name,
    origin: isApplied(document) ? { kind: 'store' } : { kind: 'file', position: document.position },
    document: { ...toManifest(document), ...(status === undefined ? {} : { status }) },
    defaults: {},
  }
}

function change(document: ModelDocument, present: ModelDocument | undefined): AppliedDocument {
  const { kind, namespace, name } = document
  const after = toManifest(document)
  if (present === undefined) return { kind, namespace, name, action: 'created', after }
  const before = toManifest(present)
  return { kind, namespace, name, action: isDeepStrictEqual(before, after) ? 'unchanged' : 'changed', before, after }
}

/** What stands in a file is changed there: applied beside it, it would never come into force. */
function writtenInFile(document: ModelDocument, present: ModelDocument | undefined): Problem[] {
  if (present === undefined || isApplied(present)) return []
  const { file, line, column } = present.position
  return [
    {
      code: 'HDL012',
      severity: 'error',
      message: `${document.id} is written in ${file}:${line}:${column}`,
      hint: 'Change it there.',
      document: document.id,
    },
  ]
}

/** What the mesh as a whole would have to say about the new documents. */
function newProblems(files: readonly SourceFile[], wanted: readonly ModelDocument[]): Problem[] {
  const ids = new Map(wanted.map((document) => [`${appliedPrefix}${document.id}`, document]))
  const others = files.filter(({ path }) => !ids.has(path))
  const added = [...ids].map(([path, document]) => ({ path, text: documentText(document) }))
  return analyzeFiles([...others, ...added]).problems.filter(
    ({ position }) => position !== undefined && ids.has(position.file),
  )
}

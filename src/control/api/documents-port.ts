// The documents in force as the API shows them, and what `apply` and `delete` do to the store behind them.
import { isDeepStrictEqual } from 'node:util'

import type { AppliedDocument, ApplyResult, DocumentKey, DocumentView } from '../../contracts/control-api.ts'
import type { Problem } from '../../contracts/problem.ts'
import { analyzeFiles } from '../configuration.ts'
import type { Configuration } from '../configuration.ts'
import { completeText, documentProblem, toManifest } from '../model/document.ts'
import type { ModelDocument } from '../model/document.ts'
import { parseFile } from '../model/parse-file.ts'
import { formatPath } from '../model/schema-problems.ts'
import { splitParts } from '../model/yaml-text.ts'
import type { DocumentStatus } from '../snapshot/status.ts'
import type { SourceFile } from '../sources/source.ts'
import { appliedPrefix } from '../sources/store-source.ts'
import type { AppliedDocuments } from '../store/applied-documents.ts'
import type { DocumentsPort } from './control-api-deps.ts'

export interface DocumentsPortOptions {
  readonly configuration: Configuration
  readonly files: () => readonly SourceFile[]
  readonly applied: Pick<AppliedDocuments, 'put' | 'delete'>
  /** What is known of a document beside the configuration; undefined: nothing. */
  readonly progressOf: (id: string) => DocumentStatus | undefined
}

export function createDocumentsPort({
  configuration,
  files,
  applied,
  progressOf,
}: DocumentsPortOptions): DocumentsPort {
  const find = (id: string): ModelDocument | undefined =>
    configuration.documents().find((document) => document.id === id)
  const statusOf = (id: string): DocumentStatus | undefined => {
    const status = configuration.statuses.get(id)
    const progress = progressOf(id)
    if (progress === undefined) return status
    return { ...status, ...progress, conditions: [...(status?.conditions ?? []), ...(progress.conditions ?? [])] }
  }
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
        .map((document) => view(document, statusOf(document.id))),

    async apply(yaml, { dryRun, mayRunPrograms }) {
      const { written, problems: faults } = readApplied(yaml)
      const problems = [
        ...faults,
        ...written.flatMap(({ document }) => writtenInFile(document, find(document.id))),
        ...(mayRunPrograms ? [] : written.flatMap(({ document }) => needsAdministrator(document))),
        ...newProblems(files(), written),
      ]
      const documents = written.map(({ document }) => change(document, find(document.id)))
      if (dryRun || problems.some(({ severity }) => severity === 'error')) return result(documents, problems)
      const changed = written.filter((_, index) => documents[index]?.action !== 'unchanged')
      await applied.put(changed.map(({ document, text }) => ({ key: document.id, text })))
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

function view(document: ModelDocument, status: DocumentStatus | undefined): DocumentView {
  const { apiVersion, kind, namespace, name } = document
  return {
    apiVersion,
    kind,
    namespace,
    name,
    origin: isApplied(document) ? { kind: 'store' } : { kind: 'file', position: document.position },
    document: { ...toManifest(document), ...(status === undefined ? {} : { status }) },
    defaults: defaultsOf(document),
  }
}

function change(document: ModelDocument, present: ModelDocument | undefined): AppliedDocument {
  const { kind, namespace, name } = document
  const after = toManifest(document)
  if (present === undefined) return { kind, namespace, name, action: 'created', after }
  const before = toManifest(present)
  // the manifests do not show what a Secret holds
  const same = isDeepStrictEqual(before, after) && isDeepStrictEqual(document.spec, present.spec)
  return { kind, namespace, name, action: same ? 'unchanged' : 'changed', before, after }
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

/** The mesh's user, as whom programs run, may read the administrator's token; an identity is as good as the workload that has it. */
function needsAdministrator(document: ModelDocument): Problem[] {
  const hint = 'Let an administrator apply it, or write it in a file of the mesh.'
  if (document.kind === 'Filter' && document.spec.typescript !== undefined) {
    const message = '"typescript" needs the role admin: its code runs in the proxies, which hold the keys of workloads'
    return [documentProblem(document, 'HDL005', 'error', ['spec', 'typescript'], message, hint)]
  }
  if (accessLogOf(document)?.file !== undefined) {
    const field = document.kind === 'Telemetry' ? 'accessLogs' : 'accessLog'
    const message = '"file" needs the role admin: proxies write it as the user of the mesh'
    return [documentProblem(document, 'HDL005', 'error', ['spec', field, 'file'], message, hint)]
  }
  if (document.kind !== 'Workload') return []
  const reasons = {
    command: 'what it starts runs as the user of the mesh',
    unix: 'what it names gets the identity of the workload',
  }
  return (['command', 'unix'] as const)
    .filter((field) => document.spec[field] !== undefined)
    .map((field) => {
      const message = `"${field}" needs the role admin: ${reasons[field]}`
      return documentProblem(document, 'HDL005', 'error', ['spec', field], message, hint)
    })
}

function accessLogOf(document: ModelDocument): { readonly file?: unknown } | undefined {
  if (document.kind === 'MeshConfig') return document.spec.accessLog
  return document.kind === 'Telemetry' ? document.spec.accessLogs : undefined
}

interface WrittenDocument {
  readonly document: ModelDocument
  /** As it was written, so that what was left to defaults stays so. */
  readonly text: string
}

function readApplied(yaml: string): { written: readonly WrittenDocument[]; problems: readonly Problem[] } {
  const written = new Map<string, WrittenDocument>()
  const problems: Problem[] = []
  for (const { text, linesBefore } of splitParts(yaml)) {
    // empty lines before it keep the positions of problems
    const parsed = parseFile({ path: 'applied', text: '\n'.repeat(linesBefore) + text })
    problems.push(...parsed.problems)
    for (const { document } of parsed.entries) {
      if (document === undefined) continue
      if (written.has(document.id)) {
        const message = `${document.id} occurs twice`
        problems.push(documentProblem(document, 'HDL007', 'error', ['metadata', 'name'], message, 'Apply it once.'))
      }
      written.set(document.id, { document, text: parsed.entries.length === 1 ? text : completeText(document) })
    }
  }
  return { written: [...written.values()], problems }
}

/** What the mesh as a whole would have to say about the new documents. */
function newProblems(files: readonly SourceFile[], written: readonly WrittenDocument[]): Problem[] {
  const added = written.map(({ document, text }) => ({ path: `${appliedPrefix}${document.id}`, text }))
  const paths = new Set(added.map(({ path }) => path))
  const others = files.filter(({ path }) => !paths.has(path))
  return analyzeFiles([...others, ...added]).problems.filter(
    ({ position }) => position !== undefined && paths.has(position.file),
  )
}

/** Where each value comes from that nobody wrote: the highest such path stands for all below it. */
function defaultsOf(document: ModelDocument): Record<string, string> {
  const origins: Record<string, string> = {}
  const visit = (value: unknown, path: readonly (string | number)[]): void => {
    if (!document.isWritten(path)) origins[formatPath(path)] = 'Heddle'
    else if (Array.isArray(value)) for (const [index, item] of value.entries()) visit(item, [...path, index])
    else if (typeof value === 'object' && value !== null) {
      for (const [key, item] of Object.entries(value)) visit(item, [...path, key])
    }
  }
  for (const [key, value] of Object.entries(toManifest(document))) visit(value, [key])
  return origins
}

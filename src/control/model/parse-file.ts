// One file's text → typed documents and everything that is wrong with it. Parts of the text that did not change are not parsed again.
import type { z } from 'zod'

import type { Problem, ProblemCode, SourcePosition } from '../../contracts/problem.ts'
import type { SourceFile } from '../sources/source.ts'
import { documentId } from './document.ts'
import type { ModelDocument } from './document.ts'
import { apiVersionOf, documentSchema, ignoredKinds, kindNames, kinds, unsupportedKinds } from './kinds.ts'
import type { KindDefinition, KindName, Metadata } from './kinds.ts'
import { nearest } from './nearest.ts'
import { formatPath, schemaFaults } from './schema-problems.ts'
import { listItems, parseYaml, splitParts } from './yaml-text.ts'
import type { TextPosition, YamlDocument } from './yaml-text.ts'

/** What became of one document of the text. */
export interface ParsedEntry {
  /** Undefined when it cannot be told which document this is meant to be. */
  readonly id: string | undefined
  /** Undefined when it has errors. */
  readonly document?: ModelDocument
}

export interface ParsedFile {
  readonly file: SourceFile
  readonly entries: readonly ParsedEntry[]
  readonly problems: readonly Problem[]
  readonly parts: ReadonlyMap<string, ParsedPart>
}

interface PartProblem extends TextPosition, Omit<Problem, 'position'> {}

interface ParsedPart {
  readonly entries: readonly { readonly id: string | undefined; readonly draft?: Draft }[]
  readonly problems: readonly PartProblem[]
}

interface Draft {
  readonly apiVersion: string
  readonly kind: KindName
  readonly metadata: Metadata
  readonly spec: unknown
  readonly yaml: YamlDocument
}

const schemas: Partial<Record<KindName, z.ZodType<{ readonly metadata: Metadata }>>> = {}

/** `previous`: an earlier result for the same path, whose unchanged parts are taken over. */
export function parseFile(file: SourceFile, previous?: ParsedFile): ParsedFile {
  const position: SourcePosition = { file: file.path, line: 1, column: 1 }
  if ('error' in file) {
    const message = `cannot be read: ${file.error}`
    const hint = 'Check the path and its permissions; what it declared last stays in force.'
    const problems: Problem[] = [{ code: 'HDL001', severity: 'error', message, hint, position }]
    return { file, entries: [{ id: undefined }], problems, parts: new Map() }
  }
  const parts = new Map<string, ParsedPart>()
  const entries: ParsedEntry[] = []
  const problems: Problem[] = []
  for (const { text, linesBefore } of splitParts(file.text)) {
    const part = parts.get(text) ?? previous?.parts.get(text) ?? parsePart(text)
    parts.set(text, part)
    const place = ({ line, column }: TextPosition): SourcePosition => ({
      file: file.path,
      line: line + linesBefore,
      column,
    })
    for (const { id, draft } of part.entries)
      entries.push(draft === undefined ? { id } : { id, document: modelDocument(draft, file, place) })
    for (const { line, column, ...problem } of part.problems)
      problems.push({ ...problem, position: place({ line, column }) })
  }
  // an editor or a shell empties a file before it writes the new text: nobody means "delete everything" by it
  if (file.text.trim() === '') {
    entries.push({ id: undefined })
    const hint = 'Delete the file to remove what it declared; until then its last documents stay in force.'
    problems.push({ code: 'HDL002', severity: 'warning', message: 'the file is empty', hint, position })
  }
  return { file, entries, problems, parts }
}

function modelDocument(
  draft: Draft,
  file: SourceFile & { readonly folder?: string },
  place: (position: TextPosition) => SourcePosition,
): ModelDocument {
  const { apiVersion, kind, metadata, spec, yaml } = draft
  const namespace = metadata.namespace ?? ''
  return {
    id: documentId(kind, namespace, metadata.name),
    apiVersion,
    kind,
    metadata,
    namespace,
    name: metadata.name,
    spec,
    file: file.path,
    ...(file.folder === undefined ? {} : { folder: file.folder }),
    position: place(yaml.positionOf([])),
    locate: (path) => place(yaml.positionOf(path)),
    isWritten: (path) => yaml.has(path),
  } as ModelDocument
}

function parsePart(text: string): ParsedPart {
  const { documents, faults } = parseYaml(text)
  const entries: { id: string | undefined; draft?: Draft }[] = faults.map(() => ({ id: undefined }))
  const problems: PartProblem[] = faults.map(({ message, duplicateKey, line, column }) => ({
    code: duplicateKey ? 'HDL007' : 'HDL002',
    severity: 'error',
    message: duplicateKey ? 'the key occurs twice in this map' : `not valid YAML: ${message}`,
    line,
    column,
  }))
  const manifests = documents.flatMap((yaml) =>
    (yaml.value as { kind?: unknown } | null)?.kind === 'List' ? listItems(yaml) : [yaml],
  )
  for (const yaml of manifests) {
    const one = parseManifest(yaml)
    problems.push(...one.problems)
    if (one.entry !== undefined) entries.push(one.entry)
  }
  return { entries, problems }
}

function parseManifest(yaml: YamlDocument): {
  readonly entry?: { id: string | undefined; draft?: Draft }
  readonly problems: readonly PartProblem[]
} {
  const header = headerOf(yaml)
  const problem = (
    code: ProblemCode,
    severity: Problem['severity'],
    message: string,
    hint: string | undefined,
    at: TextPosition,
    path = '',
  ): PartProblem => ({
    code,
    severity,
    message,
    ...(hint === undefined ? {} : { hint }),
    ...(header.id === undefined ? {} : { document: header.id }),
    ...(path === '' ? {} : { path }),
    line: at.line,
    column: at.column,
  })
  const { kind, apiVersion } = header
  if (kind === undefined || apiVersion === undefined) {
    const missing = kind === undefined ? 'kind' : 'apiVersion'
    const message = header.isMap ? `"${missing}" is missing` : 'a document is a map of fields'
    return {
      entry: { id: undefined },
      problems: [
        problem(
          header.isMap ? 'HDL006' : 'HDL005',
          'error',
          message,
          'Every document starts with apiVersion, kind and metadata.',
          yaml.positionOf([]),
        ),
      ],
    }
  }
  const fault = kindFault(kind, apiVersion)
  if (fault !== undefined) {
    const { code, severity, field, message, hint } = fault
    const problems = [problem(code, severity, message, hint, yaml.positionOf([field]), field)]
    return severity === 'warning' ? { problems } : { entry: { id: undefined }, problems }
  }
  const known = kind as KindName
  const schema = (schemas[known] ??= documentSchema(kinds[known]))
  const result = schema.safeParse(yaml.value)
  if (result.success) {
    const { metadata, spec, ...rest } = result.data as { metadata: Metadata; spec?: unknown } & Record<string, unknown>
    for (const field of ['apiVersion', 'kind', 'status']) delete rest[field]
    const draft: Draft = { apiVersion, kind: known, metadata, spec: 'spec' in kinds[known].fields ? spec : rest, yaml }
    return { entry: { id: header.id, draft }, problems: [] }
  }
  const secret = known === 'Secret' || known === 'ConfigMap'
  const problems = schemaFaults(result.error, schema, yaml.value, secret).map((one) =>
    problem(
      one.code,
      'error',
      one.message,
      one.hint,
      one.atKey ? yaml.keyPositionOf(one.path) : yaml.positionOf(one.path, one.offset),
      formatPath(one.path),
    ),
  )
  return { entry: { id: header.id }, problems }
}

interface Header {
  readonly isMap: boolean
  readonly kind: string | undefined
  readonly apiVersion: string | undefined
  readonly id: string | undefined
}

/** Which document this is meant to be, as far as it can be told before validation. */
function headerOf(yaml: YamlDocument): Header {
  const isMap = typeof yaml.value === 'object' && yaml.value !== null && !Array.isArray(yaml.value)
  const fields = (isMap ? yaml.value : {}) as { kind?: unknown; apiVersion?: unknown; metadata?: unknown }
  const kind = nonEmptyText(fields.kind)
  const metadata = (typeof fields.metadata === 'object' ? fields.metadata : {}) as {
    name?: unknown
    namespace?: unknown
  }
  const name = nonEmptyText(metadata.name)
  const definition = kind === undefined ? undefined : definitionOf(kind)
  const id =
    kind === undefined || name === undefined || definition === undefined
      ? undefined
      : documentId(kind, definition.clusterScoped ? '' : (nonEmptyText(metadata.namespace) ?? 'default'), name)
  return { isMap, kind, apiVersion: nonEmptyText(fields.apiVersion), id }
}

function nonEmptyText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function definitionOf(kind: string): KindDefinition | undefined {
  return Object.hasOwn(kinds, kind) ? kinds[kind as KindName] : undefined
}

interface KindFault {
  readonly code: ProblemCode
  readonly severity: Problem['severity']
  readonly field: 'kind' | 'apiVersion'
  readonly message: string
  readonly hint: string
}

function kindFault(kind: string, apiVersion: string): KindFault | undefined {
  const definition = definitionOf(kind)
  if (definition !== undefined) {
    const known = definition.versions.map((version) => apiVersionOf(definition.group, version))
    if (known.includes(apiVersion)) return undefined
    return {
      code: 'HDL003',
      severity: 'error',
      field: 'apiVersion',
      message: `unknown kind ${kind} in ${apiVersion}`,
      hint: `${kind} is known in ${known.join(', ')}.`,
    }
  }
  if (ignoredKinds.has(kind))
    return {
      code: 'HDL010',
      severity: 'warning',
      field: 'kind',
      message: `${kind} documents are not used by the mesh: ignored`,
      hint: 'Outside Kubernetes a running thing is declared by a Workload.',
    }
  if (unsupportedKinds.has(kind))
    return {
      code: 'HDL010',
      severity: 'error',
      field: 'kind',
      message: `${kind} is not supported`,
      hint: 'Take the document out.',
    }
  const meant = nearest(kind, kindNames)
  return {
    code: 'HDL003',
    severity: 'error',
    field: 'kind',
    message: `unknown kind "${kind}"`,
    hint: meant === undefined ? `Known kinds: ${kindNames.join(', ')}.` : `Did you mean "${meant}"?`,
  }
}

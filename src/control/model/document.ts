// One document of the typed model: defaults filled in, and every field knows where it was written.
import type { SourceLocation } from '../../contracts/decision-record.ts'
import type { Problem, ProblemCode, SourcePosition } from '../../contracts/problem.ts'
import { kinds } from './kinds.ts'
import type { KindName, Metadata, SpecOf } from './kinds.ts'
import { formatPath } from './schema-problems.ts'
import type { FieldPath } from './yaml-text.ts'

interface DocumentOf<K extends KindName> {
  /** "HTTPRoute/default/reviews"; "GatewayClass/heddle" when cluster-scoped. */
  readonly id: string
  readonly apiVersion: string
  readonly kind: K
  readonly metadata: Metadata
  /** "" for cluster-scoped kinds. */
  readonly namespace: string
  readonly name: string
  readonly spec: SpecOf[K]
  readonly file: string
  /** Absolute folder that relative paths in the document start from. */
  readonly folder?: string
  /** Where the document starts. */
  readonly position: SourcePosition
  /** Position of the field at that path, or of the nearest thing around it that was written. */
  locate(path: FieldPath): SourcePosition
  /** False for what a default filled in. */
  isWritten(path: FieldPath): boolean
}

/** A union over the kinds, so that `kind` tells the type of `spec`. */
export type ModelDocument<K extends KindName = KindName> = { [N in K]: DocumentOf<N> }[K]

export function documentId(kind: string, namespace: string, name: string): string {
  return namespace === '' ? `${kind}/${name}` : `${kind}/${namespace}/${name}`
}

/** A problem with one field of a document. */
export function documentProblem(
  document: ModelDocument,
  code: ProblemCode,
  severity: Problem['severity'],
  path: FieldPath,
  message: string,
  hint?: string,
): Problem {
  return {
    code,
    severity,
    message,
    ...(hint === undefined ? {} : { hint }),
    position: document.locate(path),
    document: document.id,
    path: formatPath(path),
  }
}

export function sourceLocation(document: ModelDocument, path: FieldPath = [], rule?: string): SourceLocation {
  const position = path.length === 0 ? document.position : document.locate(path)
  return { document: document.id, ...(rule === undefined ? {} : { rule }), ...position }
}

/** The document as Kubernetes would print it, with every default. What a Secret holds is left out. */
export function toManifest(document: ModelDocument): Readonly<Record<string, unknown>> {
  const { apiVersion, kind, metadata, spec } = document
  const header = { apiVersion, kind, metadata }
  if (kind === 'Secret') return header
  return 'spec' in kinds[kind].fields ? { ...header, spec } : { ...header, ...(spec as object) }
}

/** Whole, what a Secret holds included: for nobody's eyes, but to be read again. */
export function completeText(document: ModelDocument): string {
  const { kind, spec } = document
  const manifest = toManifest(document)
  return JSON.stringify(kind === 'Secret' ? { ...manifest, ...spec } : manifest, undefined, 2)
}

/** What the store keeps of a revision: JSON, which is YAML, by document id. */
export function documentTexts(documents: readonly ModelDocument[]): ReadonlyMap<string, string> {
  return new Map(documents.map((document) => [document.id, documentText(document)]))
}

export function documentText(document: ModelDocument): string {
  return JSON.stringify(toManifest(document), undefined, 2)
}

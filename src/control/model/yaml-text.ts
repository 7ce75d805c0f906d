// Text → YAML documents whose every key and value knows its line and column.
import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseAllDocuments } from 'yaml'
import type { Document, Node } from 'yaml'

import { errorMessage } from '../../core/errors.ts'

/** Path inside a document: field names and list indices. */
export type FieldPath = readonly PropertyKey[]

export interface TextPosition {
  /** From 1. */
  readonly line: number
  readonly column: number
}

/** Part of a text between two `---` lines. A document that does not parse spoils its own part only. */
export interface TextPart {
  readonly text: string
  /** Lines of the whole text before this part. */
  readonly linesBefore: number
}

export interface YamlFault extends TextPosition {
  readonly message: string
  readonly duplicateKey: boolean
}

export interface YamlDocument {
  /** Plain data; null fields are left out, as Kubernetes reads them. */
  readonly value: unknown
  /** Position of the value at that path, or of the nearest thing around it that was written. `offset`: so far inside a text. */
  positionOf(path: FieldPath, offset?: number): TextPosition
  /** Position of the key at that path, where it was written; else as `positionOf`. */
  keyPositionOf(path: FieldPath): TextPosition
  /** Whether something was written at that path. */
  has(path: FieldPath): boolean
}

/** YAML 1.2.2 section 9.2: `---` at the start of a line ends whatever came before it, block scalars included. */
export function splitParts(text: string): TextPart[] {
  // a directive line belongs to the marker after it
  if (/^%/m.test(text)) return [{ text, linesBefore: 0 }]
  const parts: TextPart[] = []
  let start = 0
  let linesBefore = 0
  for (const marker of text.matchAll(/^---(?=[ \t\r\n]|$)/gm)) {
    if (marker.index === start) continue
    const part = text.slice(start, marker.index)
    parts.push({ text: part, linesBefore })
    linesBefore += part.split('\n').length - 1
    start = marker.index
  }
  parts.push({ text: text.slice(start), linesBefore })
  return parts
}

/** Documents that parse, and what is wrong with the others. Comments and empty documents give nothing. */
export function parseYaml(text: string): { readonly documents: YamlDocument[]; readonly faults: YamlFault[] } {
  const lines = new LineCounter()
  const at = (offset: number): TextPosition => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
  const documents: YamlDocument[] = []
  const faults: YamlFault[] = []
  // a pretty error would quote the text, which may be a Secret's
  const parsed = parseAllDocuments(text, {
    lineCounter: lines,
    merge: true,
    prettyErrors: false,
    stringKeys: true,
  }) as Document.Parsed[]
  for (const document of parsed) {
    if (document.errors.length > 0) {
      for (const { code, message, pos } of document.errors)
        faults.push({ ...at(pos[0]), message, duplicateKey: code === 'DUPLICATE_KEY' })
      continue
    }
    if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) continue
    try {
      // aliases are expanded at most a hundred times: a small text cannot become gigabytes
      documents.push(
        yamlDocument(document, document.contents, withoutNulls(document.toJS({ maxAliasCount: 100 })), at, text),
      )
    } catch (error) {
      faults.push({ ...at(document.range[0]), message: errorMessage(error), duplicateKey: false })
    }
  }
  return { documents, faults }
}

/** The items of a `kind: List` as documents of their own. */
export function listItems(document: YamlDocument): YamlDocument[] {
  const { items } = document.value as { items?: unknown }
  if (!Array.isArray(items)) return []
  return items.map((value, index) => ({
    value: value as unknown,
    positionOf: (path, offset) => document.positionOf(['items', index, ...path], offset),
    keyPositionOf: (path) => document.keyPositionOf(['items', index, ...path]),
    has: (path) => document.has(['items', index, ...path]),
  }))
}

interface Found {
  readonly key: Node | undefined
  readonly value: Node
  readonly whole: boolean
}

function yamlDocument(
  document: Document.Parsed,
  root: Node,
  value: unknown,
  at: (offset: number) => TextPosition,
  source: string,
): YamlDocument {
  const find = (path: FieldPath): Found => {
    let found: Found = { key: undefined, value: root, whole: path.length === 0 }
    for (const [depth, step] of path.entries()) {
      const node = isAlias(found.value) ? found.value.resolve(document) : found.value
      const whole = depth === path.length - 1
      if (isMap(node)) {
        const pair = node.items.find((one) => isScalar(one.key) && one.key.value === step)
        if (pair === undefined || !isNode(pair.key)) return { ...found, whole: false }
        found = { key: pair.key, value: isNode(pair.value) ? pair.value : pair.key, whole }
      } else if (isSeq(node)) {
        const item = node.items[step as number]
        if (!isNode(item)) return { ...found, whole: false }
        found = { key: undefined, value: item, whole }
      } else return { ...found, whole: false }
    }
    return found
  }
  const position = (node: Node): TextPosition => at(node.range?.[0] ?? 0)
  return {
    value,
    positionOf(path, offset) {
      const { value: node } = find(path)
      const start = node.range?.[0] ?? 0
      if (offset === undefined || !isScalar(node) || typeof node.value !== 'string') return at(start)
      return at(start + offsetInSource(source.slice(start, node.range?.[1]), node.value, offset))
    },
    keyPositionOf: (path) => {
      const found = find(path)
      return position(found.whole && found.key !== undefined ? found.key : found.value)
    },
    has: (path) => find(path).whole,
  }
}

/** Where in the source of a text, quoted or in a block, its character of that number is. */
function offsetInSource(source: string, text: string, offset: number): number {
  let found = 0
  for (const line of text.slice(0, offset).split('\n').slice(0, -1)) {
    const start = source.indexOf(line, found)
    if (start === -1) return 0
    found = start + line.length
  }
  const lineStart = text.lastIndexOf('\n', offset - 1) + 1
  const [line = ''] = text.slice(lineStart).split('\n', 1)
  const start = source.indexOf(line, found)
  return start === -1 ? 0 : start + offset - lineStart
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, field]) => (field === null ? [] : [[key, withoutNulls(field)]])),
  )
}

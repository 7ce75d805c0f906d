// The documents by kind and name, for the compiler's look-ups.
import { documentId } from '../model/document.ts'
import type { ModelDocument } from '../model/document.ts'
import type { LabelSelector } from '../model/gateway-kinds.ts'
import type { KindName } from '../model/kinds.ts'
import type { FilterCode } from '../sources/filter-code.ts'

export class DocumentIndex {
  /** Of TypeScript filters, by document id. */
  readonly filterCode: ReadonlyMap<string, FilterCode>
  readonly #byId = new Map<string, ModelDocument>()
  /** By kind, and by kind and namespace. */
  readonly #groups = new Map<string, ModelDocument[]>()

  constructor(documents: readonly ModelDocument[], filterCode: ReadonlyMap<string, FilterCode> = new Map()) {
    this.filterCode = filterCode
    for (const document of documents) {
      this.#byId.set(document.id, document)
      for (const key of [document.kind, `${document.kind}/${document.namespace}`]) {
        const group = this.#groups.get(key)
        if (group === undefined) this.#groups.set(key, [document])
        else group.push(document)
      }
    }
  }

  get<K extends KindName>(kind: K, namespace: string, name: string): ModelDocument<K> | undefined {
    return this.#byId.get(documentId(kind, namespace, name)) as ModelDocument<K> | undefined
  }

  all<K extends KindName>(kind: K): readonly ModelDocument<K>[] {
    return (this.#groups.get(kind) ?? []) as unknown as readonly ModelDocument<K>[]
  }

  allIn<K extends KindName>(kind: K, namespace: string): readonly ModelDocument<K>[] {
    return (this.#groups.get(`${kind}/${namespace}`) ?? []) as unknown as readonly ModelDocument<K>[]
  }

  /** Names of that kind in a namespace, for hints. */
  names(kind: KindName, namespace: string): string[] {
    return this.allIn(kind, namespace).map((document) => document.name)
  }

  /** Kubernetes itself puts the name on every namespace as a label; a namespace need not be declared to exist. */
  namespaceLabels(namespace: string): Readonly<Record<string, string>> {
    const declared = this.get('Namespace', '', namespace)?.metadata.labels
    return { ...declared, 'kubernetes.io/metadata.name': namespace }
  }
}

/** Whether all of `wanted` are among `labels`. */
export function labelsMatch(
  wanted: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value)
}

export function selectorMatches(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  if (!labelsMatch(selector.matchLabels, labels)) return false
  return selector.matchExpressions.every(({ key, operator, values }) => {
    const value = labels[key]
    if (operator === 'Exists') return value !== undefined
    if (operator === 'DoesNotExist') return value === undefined
    return (value !== undefined && values.includes(value)) === (operator === 'In')
  })
}

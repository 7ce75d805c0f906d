// Revisions of the configuration become events: those that were recorded before this process, and each new one with what it changed.
import type { ConfigurationRevision, DocumentSet } from '../store/revisions.ts'
import type { MeshEvents } from './mesh-events.ts'

const mostRemembered = 100
const mostDocuments = 100

export class NoticedRevisions {
  readonly #events: MeshEvents
  #documents: DocumentSet

  /** `recorded`: newest first. `documents`: of the newest. */
  constructor(events: MeshEvents, recorded: readonly ConfigurationRevision[], documents: DocumentSet) {
    this.#events = events
    this.#documents = documents
    for (const { revision, changed, atMs } of recorded.slice(0, mostRemembered).toReversed())
      this.#add(String(revision), changed, atMs)
  }

  update(revision: string, documents: DocumentSet): void {
    const ids = [...new Set([...this.#documents.keys(), ...documents.keys()])]
    const changed = ids.filter((id) => this.#documents.get(id) !== documents.get(id)).toSorted()
    this.#documents = documents
    if (changed.length > 0) this.#add(revision, changed)
  }

  #add(revision: string, changed: readonly string[], atMs?: number): void {
    const [first = 'nothing', ...others] = changed
    const more = others.length === 0 ? '' : ` and ${others.length} more`
    const message = `revision ${revision} changes ${first}${more}`
    const documents = changed.slice(0, mostDocuments)
    this.#events.add({ kind: 'configuration', severity: 'info', message, revision, documents }, atMs)
  }
}

// What files changed, in the audit log beside what the API changed: which files, which documents, and the revisions before and after.
import type { Watchable } from '../../core/watchable.ts'
import type { SourceFile } from '../sources/source.ts'
import type { DocumentSet } from '../store/revisions.ts'
import type { AuditedChange, AuditLog } from './audit-log.ts'

export interface FileAuditOptions {
  readonly audit: AuditLog
  readonly files: Watchable<readonly SourceFile[]>
  /** What was recorded last, before this process: files may have changed since. */
  readonly documents: DocumentSet
  readonly revision: string
}

export class FileAudit {
  readonly #audit: AuditLog
  readonly #source: Watchable<readonly SourceFile[]>
  #files: readonly SourceFile[] = []
  #documents: DocumentSet
  #revision: string

  constructor({ audit, files, documents, revision }: FileAuditOptions) {
    this.#audit = audit
    this.#source = files
    this.#documents = documents
    this.#revision = revision
  }

  /** Files that came, changed or went since the last call. */
  changedFiles(): string[] {
    const [before, now] = [this.#files, this.#source.value]
    this.#files = now
    const differing = [...before.filter((file) => !now.includes(file)), ...now.filter((file) => !before.includes(file))]
    return [...new Set(differing.map(({ path }) => path))].toSorted()
  }

  /** Of each revision, in order. `files`: which made it; undefined: the API did, which writes that down itself. */
  revised(revision: string, documents: DocumentSet, files: readonly string[] | undefined): void {
    const changes = changesBetween(this.#documents, documents)
    const revisionBefore = this.#revision
    this.#documents = documents
    this.#revision = revision
    if (files === undefined || revision === revisionBefore) return
    this.#audit.append({ source: 'files', files, changes, revisionBefore, revisionAfter: revision })
  }
}

function changesBetween(before: DocumentSet, after: DocumentSet): AuditedChange[] {
  const objects = [...new Set([...before.keys(), ...after.keys()])].toSorted()
  return objects.flatMap((object) => {
    const [old, now] = [before.get(object), after.get(object)]
    if (old === now) return []
    return [{ object, action: old === undefined ? 'created' : now === undefined ? 'deleted' : 'changed' }]
  })
}

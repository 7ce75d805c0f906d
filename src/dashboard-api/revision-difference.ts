// What two revisions of the configuration differ in: document by document, line by line, as YAML.
import { stringify } from 'yaml'

import type { DocumentDifference, RevisionDifference } from '../contracts/read-api.ts'
import type { DocumentSet } from '../control/store/revisions.ts'
import { lineDifference } from '../core/line-difference.ts'

/** With more, the others are named alone. */
const mostShown = 200

export interface ComparedRevision {
  readonly revision: number
  readonly documents: DocumentSet
}

/** What a Secret holds is in no revision. */
export function compareRevisions(from: ComparedRevision, to: ComparedRevision): RevisionDifference {
  const ids = [...new Set([...from.documents.keys(), ...to.documents.keys()])].toSorted()
  const different = ids.filter((id) => from.documents.get(id) !== to.documents.get(id))
  return {
    from: from.revision,
    to: to.revision,
    documents: different.map((id, index) =>
      difference(id, from.documents.get(id), to.documents.get(id), index < mostShown),
    ),
  }
}

function difference(
  id: string,
  before: string | undefined,
  after: string | undefined,
  isShown: boolean,
): DocumentDifference {
  const action = before === undefined ? 'created' : after === undefined ? 'deleted' : 'changed'
  return { id, action, hunks: isShown ? lineDifference(toYaml(before), toYaml(after)) : [] }
}

/** Revisions are kept as JSON. */
function toYaml(text: string | undefined): string {
  return text === undefined ? '' : stringify(JSON.parse(text), { lineWidth: 0, aliasDuplicateObjects: false })
}

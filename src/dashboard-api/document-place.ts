// Where a document was written, as the read API says it.
import type { DocumentPlace } from '../contracts/read-api.ts'

export function placeOf({
  document,
  file,
  line,
}: {
  readonly document: string
  readonly file?: string
  readonly line?: number
}): DocumentPlace {
  return { id: document, ...(file !== undefined && { file }), ...(line !== undefined && { line }) }
}

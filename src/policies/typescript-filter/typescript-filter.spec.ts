// A TypeScript filter as a proxy runs it: its code, and what its document says about it.
import type { FilterRecord, SourceLocation } from '../../contracts/decision-record.ts'

export interface TypescriptFilterSpec {
  /** "Filter/default/tenant". */
  readonly name: string
  /** Of the document. */
  readonly source: SourceLocation
  /** JavaScript: the file without its types. Every token is at the place where it was written. */
  readonly code: string
  /** Of `code`, in hexadecimal. */
  readonly sha256: string
  readonly config: Readonly<Record<string, unknown>>
  /** Of one call. */
  readonly timeBudgetMs: number
  /** What a call that fails or takes too long is for the request. */
  readonly onError: 'Continue' | 'Refuse'
  /** Longer bodies are not shown to it. */
  readonly maxBodyBytes: number
}

export type FilterPhase = FilterRecord['phase']

/** Why a call did not count. `late`: it did, but took longer than its budget. */
export type FilterFailure = 'error' | 'timeout' | 'late' | 'too_large' | 'bypassed' | 'not_loaded'

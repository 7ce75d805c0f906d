// Where documents come from: a set of texts that changes. First step of the configuration line.
import type { Watchable } from '../../core/watchable.ts'

/** One text with YAML or JSON documents; `error` when it is there but cannot be read. */
export type SourceFile =
  | {
      readonly path: string
      readonly text: string
      /** Absolute folder that relative paths inside the documents start from. */
      readonly folder?: string
    }
  | { readonly path: string; readonly error: string }

export interface Source {
  /** Sorted by path. A file that is gone is absent. */
  readonly files: Watchable<readonly SourceFile[]>
  /** Resolves once the first reading is in `files`. */
  start(): Promise<void>
  stop(): void
}

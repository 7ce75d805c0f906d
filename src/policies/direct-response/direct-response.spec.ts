// An answer that the proxy gives itself.
import type { HeaderLineSpec } from '../header-modifier/header-modifier.spec.ts'

export interface DirectResponseSpec {
  readonly status: number
  /** Each replaces what the proxy would say. */
  readonly headers: readonly HeaderLineSpec[]
  /** Absent: none. */
  readonly body?: string
}

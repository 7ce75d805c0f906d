// Who changed what: one JSON object a line, appended to a file that only the mesh's user may read. Never what documents or tokens hold.
import { appendFileSync, chmodSync } from 'node:fs'

import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'

export interface AuditedChange {
  /** "HTTPRoute/default/reviews", "token/ci". */
  readonly object: string
  /** "created", "changed", "deleted". */
  readonly action: string
}

/** Of a change by the API. */
export interface ApiAuditEntry {
  readonly role: string
  /** Name of the token. */
  readonly token: string
  /** IP address. */
  readonly from: string
  /** "PUT /v1/documents". */
  readonly request: string
  readonly status: number
  readonly changes: readonly AuditedChange[]
  /** Of the configuration. */
  readonly revisionBefore: string
  readonly revisionAfter: string
}

/** Of a change by files that the control plane reads: whoever may write those needs no token. */
export interface FileAuditEntry {
  readonly source: 'files'
  readonly files: readonly string[]
  readonly changes: readonly AuditedChange[]
  readonly revisionBefore: string
  readonly revisionAfter: string
}

export type AuditEntry = ApiAuditEntry | FileAuditEntry

export interface AuditLog {
  append(entry: AuditEntry): void
}

/** Throws what the file system says when the file cannot be written. */
export function openAuditLog(options: {
  readonly file: string
  readonly clock: Clock
  readonly logger: Logger
}): AuditLog {
  const { file, clock, logger } = options
  appendFileSync(file, '', { mode: 0o600 })
  // the mode above counts only when the file is made
  chmodSync(file, 0o600)
  return {
    append(entry) {
      try {
        // oxlint-disable-next-line no-restricted-globals -- formatting a given instant reads no clock
        const time = new Date(clock.nowMs()).toISOString()
        appendFileSync(file, `${JSON.stringify({ time, ...entry })}\n`, { mode: 0o600 })
      } catch (error) {
        logger.error('audit log not written', { file, error: errorMessage(error), ...entry })
      }
    },
  }
}

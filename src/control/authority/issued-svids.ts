// Until when the SVIDs that were handed out are valid, over restarts: how long a rotation waits for a proxy that is away.
import { readFileSync } from 'node:fs'

import { errorCode } from '../../core/errors.ts'
import { replaceFile } from './signer-files.ts'

/** Written so much of a lifetime ahead, that not every certificate costs a write. */
const aheadShare = 1 / 8

export class IssuedSvids {
  readonly #file: string
  #endByMs: number

  constructor(file: string) {
    this.#file = file
    try {
      this.#endByMs = (JSON.parse(readFileSync(file, 'utf8')) as { endByMs: number }).endByMs
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error
      this.#endByMs = 0
    }
  }

  /** All of them have ended by then. Milliseconds since the Unix epoch. */
  get endByMs(): number {
    return this.#endByMs
  }

  /** Call it before the certificate leaves. */
  willEnd(notAfterMs: number, lifetimeMs: number): void {
    if (notAfterMs <= this.#endByMs) return
    this.#endByMs = notAfterMs + Math.round(lifetimeMs * aheadShare)
    replaceFile(this.#file, `${JSON.stringify({ endByMs: this.#endByMs })}\n`)
  }
}

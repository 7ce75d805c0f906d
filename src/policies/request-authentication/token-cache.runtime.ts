// Tokens that were verified a moment ago, so that the next request with one needs no signature checked. The least recently used goes first.
import type { KeySet } from './jwks.runtime.ts'
import type { JwtRule } from './request-authentication.spec.ts'
import type { ReadToken } from './token-format.runtime.ts'

export interface VerifiedEntry {
  readonly token: ReadToken
  readonly rule: JwtRule
  /** Which the signature was verified with: others may no longer have that key. */
  readonly keys: KeySet
}

const maxEntries = 1000

export class TokenCache {
  readonly #entries = new Map<string, VerifiedEntry>()

  get(text: string): VerifiedEntry | undefined {
    const entry = this.#entries.get(text)
    if (entry === undefined) return undefined
    this.#entries.delete(text)
    this.#entries.set(text, entry)
    return entry
  }

  set(text: string, entry: VerifiedEntry): void {
    this.#entries.delete(text)
    // A copy: the text is part of a request's head, which would stay in memory with it.
    this.#entries.set(Buffer.from(text, 'latin1').toString('latin1'), entry)
    if (this.#entries.size > maxEntries) this.delete(this.#entries.keys().next().value as string)
  }

  delete(text: string): void {
    this.#entries.delete(text)
  }
}

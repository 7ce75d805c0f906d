// Who was handed SVIDs, and until when they are valid, over restarts: for whom a rotation waits, and how long for one that is away.
import { readFileSync } from 'node:fs'

import type { Clock, Timer } from '../../core/clock.ts'
import { errorCode, errorMessage } from '../../core/errors.ts'
import { replaceFile } from './signer-files.ts'

interface StoredSvids {
  readonly endByMs: number
  /** By SPIFFE ID; absent in files of earlier versions. */
  readonly holders?: Readonly<Record<string, number>>
}

/** Written so much of a lifetime ahead, that not every certificate costs a write. */
const aheadShare = 1 / 8
/** Many new holders, as when a mesh starts, cost one write. */
const newHoldersMs = 1_000

export class IssuedSvids {
  readonly #file: string
  readonly #clock: Clock
  /** When the last SVID of each has ended, or later. Milliseconds since the Unix epoch. */
  readonly #holders: Map<string, number>
  #endByMs: number
  #write: Timer | undefined

  constructor(file: string, clock: Clock) {
    this.#file = file
    this.#clock = clock
    const stored = readStored(file)
    this.#endByMs = stored.endByMs
    this.#holders = new Map(Object.entries(stored.holders ?? {}))
  }

  /** All of them have ended by then. Milliseconds since the Unix epoch. */
  get endByMs(): number {
    return this.#endByMs
  }

  /** SPIFFE IDs of which an SVID may be valid. */
  holders(): string[] {
    const nowMs = this.#clock.nowMs()
    return [...this.#holders].filter(([, endsMs]) => endsMs > nowMs).map(([spiffeId]) => spiffeId)
  }

  /** Call it before the certificate leaves. */
  willEnd(spiffeId: string, notAfterMs: number, lifetimeMs: number): void {
    const isNew = !this.#holders.has(spiffeId)
    this.#holders.set(spiffeId, Math.max(notAfterMs, this.#holders.get(spiffeId) ?? 0))
    if (notAfterMs > this.#endByMs) {
      this.#endByMs = notAfterMs + Math.round(lifetimeMs * aheadShare)
      this.#save()
    } else if (isNew) {
      this.#write ??= this.#clock.setTimer(newHoldersMs, () => this.#saveIfPossible())
    }
  }

  /** It is nobody's any more. */
  forget(spiffeId: string): void {
    if (this.#holders.delete(spiffeId)) this.#save()
  }

  #saveIfPossible(): void {
    try {
      this.#save()
    } catch {
      // the next certificate that must be written down says why it cannot
      this.#write = undefined
    }
  }

  #save(): void {
    this.#write?.cancel()
    this.#write = undefined
    const nowMs = this.#clock.nowMs()
    for (const [spiffeId, endsMs] of this.#holders) if (endsMs <= nowMs) this.#holders.delete(spiffeId)
    // a holder may renew as long as all of this holds, without another write
    const holders = Object.fromEntries([...this.#holders.keys()].map((spiffeId) => [spiffeId, this.#endByMs]))
    const stored: StoredSvids = { endByMs: this.#endByMs, holders }
    replaceFile(this.#file, `${JSON.stringify(stored)}\n`)
  }
}

/** Throws, with the way out, when it is not what was written. */
function readStored(file: string): StoredSvids {
  try {
    const stored = JSON.parse(readFileSync(file, 'utf8')) as StoredSvids
    if (!Number.isFinite(stored.endByMs)) throw new Error('it is not what was written')
    return stored
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return { endByMs: 0 }
    const wayOut = 'restore it from a backup, or remove it: a rotation then waits for no proxy that is away'
    throw new Error(`cannot read who has certificates, ${file}: ${errorMessage(error)}; ${wayOut}`, { cause: error })
  }
}

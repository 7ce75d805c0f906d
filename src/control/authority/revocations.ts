// What was revoked of each identity: everything it was given up to a moment. Lies in <stateDir>/ca/revocations.json, and goes out to all proxies.
import { readFileSync } from 'node:fs'

import type { Revocation } from '../../contracts/control-api.ts'
import type { Clock } from '../../core/clock.ts'
import { errorCode, errorMessage } from '../../core/errors.ts'
import { WatchableValue } from '../../core/watchable.ts'
import type { Watchable } from '../../core/watchable.ts'
import { replaceFile } from './signer-files.ts'

export interface RevocationList {
  /** Grows with every change. */
  readonly version: number
  /** One an identity at the most: the newest says all that an older one did. */
  readonly revocations: readonly Revocation[]
}

/** An entry stays at least so long: join tokens that it refuses may outlive certificates. */
const leastKeptMs = 24 * 3_600_000

export class Revocations {
  readonly #file: string
  readonly #clock: Clock
  readonly #list: WatchableValue<RevocationList>

  /** Throws, with the way out, when the file is not what was written. */
  constructor(file: string, clock: Clock) {
    this.#file = file
    this.#clock = clock
    this.#list = new WatchableValue(readList(file))
  }

  get list(): Watchable<RevocationList> {
    return this.#list
  }

  /** Without those that have ended by themselves: everything they are about has ended. */
  inForce(): readonly Revocation[] {
    const nowMs = this.#clock.nowMs()
    return this.#list.value.revocations.filter(({ endsAtMs }) => endsAtMs > nowMs)
  }

  /** `svidsEndByMs`: all certificates that it is about have ended by then. In force, and for good, once this returns. */
  revoke(spiffeId: string, reason: string, notBeforeMs: number, svidsEndByMs: number): Revocation {
    const revokedAtMs = this.#clock.nowMs()
    const endsAtMs = Math.max(svidsEndByMs, revokedAtMs + leastKeptMs)
    const entry: Revocation = { spiffeId, reason, notBeforeMs, revokedAtMs, endsAtMs }
    const others = this.inForce().filter((one) => one.spiffeId !== spiffeId)
    const list = { version: this.#list.value.version + 1, revocations: [...others, entry] }
    replaceFile(this.#file, `${JSON.stringify(list, null, 2)}\n`)
    this.#list.set(list)
    return entry
  }

  refusesCertificate(spiffeId: string, notBeforeMs: number): boolean {
    const entry = this.of(spiffeId)
    return entry !== undefined && notBeforeMs <= entry.notBeforeMs
  }

  refusesTokenOf(spiffeId: string, createdAtMs: number): boolean {
    const entry = this.of(spiffeId)
    return entry !== undefined && createdAtMs <= entry.revokedAtMs
  }

  of(spiffeId: string): Revocation | undefined {
    return this.#list.value.revocations.find((one) => one.spiffeId === spiffeId)
  }
}

function readList(file: string): RevocationList {
  try {
    const list = JSON.parse(readFileSync(file, 'utf8')) as RevocationList
    if (!Number.isInteger(list.version) || !Array.isArray(list.revocations)) throw new Error('it is no list')
    return list
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return { version: 0, revocations: [] }
    // to go on without it would let in again whoever was shut out
    throw new Error(`cannot read what was revoked, ${file}: ${errorMessage(error)}; restore the folder from a backup`, {
      cause: error,
    })
  }
}

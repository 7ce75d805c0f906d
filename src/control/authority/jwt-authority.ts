// Signs JWT-SVIDs of the mesh, with a key of its own that is replaced on a schedule: whoever verifies knows the next one before it signs, and the
// old one until its last token has ended.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import type { AuthorityJwtKey } from '../../contracts/control-api.ts'
import type { BundleKey } from '../../contracts/identity/jwt-svid.ts'
import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import { readJwtKeys, writeJwtKeys, type JwtKeyState } from './jwt-key-state.ts'
import { jwtKey, signJwtSvid, type JwtKey } from './jwt-svid.ts'
import { newKeyPair } from './key-pair.ts'
import { jwtBundleKey } from './spiffe-bundle.ts'

export interface JwtAuthorityOptions {
  readonly stateDir: string
  readonly clock: Clock
  /** Of X.509-SVIDs: no token lives longer than one. */
  readonly svidLifetimeMs: () => number
  /** How long a new key is given to those who read our bundle elsewhere before it signs; absent: nobody does. */
  readonly distributeForMs?: () => number
  readonly logger: Logger
}

export interface JwtAuthority {
  /** The public parts, as the trust bundle has them: of the key that signs, of the next one, and of those whose tokens may still be about. */
  readonly keys: readonly BundleKey[]
  /** Throws a TypeError when there is no audience. */
  sign(spiffeId: string, audience: readonly string[]): string
  /** Publishes the next key now, if none is yet: it signs when everybody has had the time to learn of it. Throws when it cannot be kept. */
  rotate(): void
  status(): readonly AuthorityJwtKey[]
}

/** Whoever gets hold of a token is the workload to its audience until it ends. */
const mostLifetimeMs = 5 * 60_000
/** A key signs for so long. */
const signsForMs = 30 * 86_400_000
/** It verifies for so long before, at least: readers of the mesh look at least every five minutes. */
const leastAheadMs = 10 * 60_000
/** Whoever verifies may have a clock that is behind. */
const clockSkewMs = 60_000

/** Makes the key where there is none. Throws when what is there cannot be used, with the way out. */
export function createJwtAuthority(options: JwtAuthorityOptions): JwtAuthority {
  return new RotatedJwtAuthority(options)
}

class RotatedJwtAuthority implements JwtAuthority {
  readonly #options: JwtAuthorityOptions
  readonly #file: string
  #state: JwtKeyState

  constructor(options: JwtAuthorityOptions) {
    const { stateDir, clock } = options
    const folder = join(stateDir, 'ca')
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    this.#options = options
    this.#file = join(folder, 'jwt-keys.json')
    const nowMs = clock.nowMs()
    this.#state = readJwtKeys(this.#file, nowMs) ?? { signing: { key: newKey(), sinceMs: nowMs }, retiring: [] }
    writeJwtKeys(this.#file, this.#state)
  }

  get keys(): readonly BundleKey[] {
    const { signing, next, retiring } = this.#now()
    return [
      jwtBundleKey(signing.key),
      ...(next === undefined ? [] : [jwtBundleKey(next.key)]),
      ...retiring.map(({ key }) => key),
    ]
  }

  sign(spiffeId: string, audience: readonly string[]): string {
    const { clock, svidLifetimeMs } = this.#options
    const issuedAtMs = clock.nowMs()
    const expiresAtMs = issuedAtMs + Math.min(mostLifetimeMs, svidLifetimeMs())
    return signJwtSvid(this.#now().signing.key, { spiffeId, audience, issuedAtMs, expiresAtMs })
  }

  rotate(): void {
    const state = this.#now()
    if (state.next === undefined) this.#keep({ ...state, next: this.#next() })
  }

  status(): readonly AuthorityJwtKey[] {
    const { signing, next, retiring } = this.#now()
    const { kid } = signing.key
    const untilMs = next?.signsFromMs ?? signing.sinceMs + signsForMs
    return [
      { kid, use: 'signing', untilMs },
      ...(next === undefined
        ? []
        : [{ kid: next.key.kid, use: 'next' as const, untilMs: next.signsFromMs + signsForMs }]),
      ...retiring.map(({ key, untilMs: endsMs }) => ({
        kid: key.kid ?? '',
        use: 'retiring' as const,
        untilMs: endsMs,
      })),
    ]
  }

  /** Takes the steps that are due: nothing happens while nobody asks, and after a restart it goes on where it was. */
  #now(): JwtKeyState {
    const due = this.#due()
    if (due === this.#state) return due
    try {
      this.#keep(due)
    } catch (error) {
      // what holds goes on; the next one who asks tries again
      this.#options.logger.error('the key of JWT-SVIDs cannot be replaced', { reason: errorMessage(error) })
    }
    return this.#state
  }

  #due(): JwtKeyState {
    const nowMs = this.#options.clock.nowMs()
    let state = this.#state
    const retiring = state.retiring.filter(({ untilMs }) => untilMs > nowMs)
    if (retiring.length < state.retiring.length) state = { ...state, retiring }
    const { signing, next } = state
    if (next !== undefined && nowMs >= next.signsFromMs) {
      const untilMs = nowMs + mostLifetimeMs + clockSkewMs
      return {
        signing: { key: next.key, sinceMs: nowMs },
        retiring: [...state.retiring, { key: jwtBundleKey(signing.key), untilMs }],
      }
    }
    if (next === undefined && nowMs >= signing.sinceMs + signsForMs - this.#aheadMs())
      return { ...state, next: this.#next() }
    return state
  }

  #next(): NonNullable<JwtKeyState['next']> {
    return { key: newKey(), signsFromMs: this.#options.clock.nowMs() + this.#aheadMs() }
  }

  #aheadMs(): number {
    return Math.max(leastAheadMs, this.#options.distributeForMs?.() ?? 0)
  }

  /** On disk before anybody is told. */
  #keep(state: JwtKeyState): void {
    writeJwtKeys(this.#file, state)
    this.#state = state
    this.#options.logger.info('the keys of JWT-SVIDs have changed', {
      signing: state.signing.key.kid,
      next: state.next?.key.kid,
    })
  }
}

function newKey(): JwtKey {
  return jwtKey(newKeyPair().privateKey)
}

// The keys of one place, fetched anew before they grow old for as long as somebody asks for them.
import type { Clock } from '../../core/clock.ts'
import { parseJwks } from '../../policies/request-authentication/jwks.runtime.ts'
import type { KeySet } from '../../policies/request-authentication/jwks.runtime.ts'
import type { FetchedJwks } from './jwks-client.ts'

export interface RefreshedKeysOptions {
  readonly clock: Clock
  readonly fetch: () => Promise<FetchedJwks>
  /** A fetch came to nothing; older keys may serve on. */
  readonly onFailure: (reason: unknown) => void
}

const minAgeMs = 60_000
const maxAgeMs = 3_600_000
const defaultAgeMs = 300_000
/** Of their age: who asks later than that has them fetched, and need not wait. */
const refreshAt = 0.8
/** How long keys that are too old still serve when there are no others to be had. */
const staleMs = 3_600_000
/** Least time between two fetches for a token with an unknown key, or after a failure. */
const pauseMs = 10_000
/** The same while there are no keys at all. */
const firstPauseMs = 1_000

export class RefreshedKeys {
  readonly #options: RefreshedKeysOptions
  #keys: KeySet | undefined
  #text: string | undefined
  #refreshAtMs = -Infinity
  #freshUntilMs = -Infinity
  /** Later than `#freshUntilMs` once a fetch has failed. */
  #usableUntilMs = -Infinity
  #triedAtMs = -Infinity
  #pending: Promise<KeySet> | undefined
  #failure: unknown

  constructor(options: RefreshedKeysOptions) {
    this.#options = options
  }

  /** Has them fetched in the background when it is time. */
  current(): KeySet | undefined {
    const nowMs = this.#now()
    if (this.#keys === undefined || nowMs >= this.#usableUntilMs) return undefined
    if (nowMs >= this.#refreshAtMs && nowMs - this.#triedAtMs >= pauseMs) this.#fetch().catch(() => undefined)
    return this.#keys
  }

  load(): Promise<KeySet> {
    const keys = this.current()
    if (keys !== undefined) return Promise.resolve(keys)
    if (this.#pending === undefined && this.#now() - this.#triedAtMs < firstPauseMs)
      return Promise.reject(this.#failure)
    return this.#fetch()
  }

  /** Fetches for a key that is not there, unless that was done moments ago. */
  reload(): Promise<KeySet> {
    if (this.#pending === undefined && this.#now() - this.#triedAtMs < pauseMs) return this.load()
    return this.#fetch()
  }

  /** Nobody has asked for so long that nothing here is of use. */
  get isForgotten(): boolean {
    return this.#pending === undefined && this.#now() >= this.#freshUntilMs + staleMs
  }

  /** Rejects when there are no older keys that may serve either. */
  #fetch(): Promise<KeySet> {
    this.#pending ??= this.#tryFetch().finally(() => {
      this.#pending = undefined
    })
    return this.#pending
  }

  async #tryFetch(): Promise<KeySet> {
    this.#triedAtMs = this.#now()
    try {
      return this.#take(await this.#options.fetch())
    } catch (thrown) {
      this.#failure = thrown
      this.#options.onFailure(thrown)
      this.#usableUntilMs = this.#freshUntilMs + staleMs
      if (this.#keys === undefined || this.#now() >= this.#usableUntilMs) throw thrown
      return this.#keys
    }
  }

  #take(fetched: FetchedJwks): KeySet {
    // The same object for the same text: what was verified with it stays verified
    const keys = this.#keys !== undefined && fetched.text === this.#text ? this.#keys : parseJwks(fetched.text)
    const ageMs = Math.min(Math.max(fetched.maxAgeMs ?? defaultAgeMs, minAgeMs), maxAgeMs)
    const nowMs = this.#now()
    this.#keys = keys
    this.#text = fetched.text
    this.#refreshAtMs = nowMs + ageMs * refreshAt
    this.#freshUntilMs = nowMs + ageMs
    this.#usableUntilMs = this.#freshUntilMs
    return keys
  }

  #now(): number {
    return this.#options.clock.monotonicMs()
  }
}

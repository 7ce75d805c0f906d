// Where request authentication has its keys from: the text of a rule, a file, or a server that is asked again from time to time.
import { readFile } from 'node:fs/promises'

import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import { parseJwks } from '../../policies/request-authentication/jwks.runtime.ts'
import type { JwksSource, KeySet } from '../../policies/request-authentication/jwks.runtime.ts'
import type { JwtRule } from '../../policies/request-authentication/request-authentication.spec.ts'
import { fetchJwks, maxJwksBytes } from './jwks-client.ts'
import type { FetchedJwks } from './jwks-client.ts'
import { RefreshedKeys } from './refreshed-keys.ts'

export interface JwksSourceDeps {
  readonly clock: Clock
  readonly logger: Logger
}

export interface JwksSourceOptions {
  /** PEM of the roots that https servers must lead to; absent: those of the runtime. */
  readonly ca?: string
}

export interface ClosableJwksSource extends JwksSource {
  /** Ends fetches; nothing is fetched afterwards. */
  close(): void
}

export function createJwksSource(deps: JwksSourceDeps, options: JwksSourceOptions = {}): ClosableJwksSource {
  return new CachingJwksSource(deps, options)
}

class CachingJwksSource implements ClosableJwksSource {
  readonly #deps: JwksSourceDeps
  readonly #options: JwksSourceOptions
  /** By rule and not by text, so that they go with the configuration. */
  readonly #inline = new WeakMap<JwtRule, KeySet>()
  readonly #fetched = new Map<string, RefreshedKeys>()
  readonly #closing = new AbortController()

  constructor(deps: JwksSourceDeps, options: JwksSourceOptions) {
    this.#deps = deps
    this.#options = options
  }

  current(rule: JwtRule): KeySet | undefined {
    if (rule.jwksUri === undefined) return this.#inline.get(rule)
    return this.#fetched.get(rule.jwksUri)?.current()
  }

  load(rule: JwtRule): Promise<KeySet> {
    return rule.jwksUri === undefined ? this.#loadInline(rule) : this.#at(rule.jwksUri, rule.timeoutMs).load()
  }

  reload(rule: JwtRule): Promise<KeySet> {
    return rule.jwksUri === undefined ? this.#loadInline(rule) : this.#at(rule.jwksUri, rule.timeoutMs).reload()
  }

  close(): void {
    this.#closing.abort()
  }

  async #loadInline(rule: JwtRule): Promise<KeySet> {
    const keys = this.#inline.get(rule) ?? parseJwks(rule.jwks ?? '')
    this.#inline.set(rule, keys)
    return keys
  }

  #at(uri: string, timeoutMs: number): RefreshedKeys {
    const known = this.#fetched.get(uri)
    if (known !== undefined) return known
    for (const [other, keys] of this.#fetched) if (keys.isForgotten) this.#fetched.delete(other)
    const url = new URL(uri)
    const keys = new RefreshedKeys({
      clock: this.#deps.clock,
      fetch: () => this.#fetch(url, timeoutMs),
      onFailure: (reason) => {
        if (this.#closing.signal.aborted) return
        // Without query: that may hold a secret
        const place = `${url.protocol}//${url.host}${url.pathname}`
        this.#deps.logger.warn('cannot get a JSON Web Key Set', { jwksUri: place, reason: errorMessage(reason) })
      },
    })
    this.#fetched.set(uri, keys)
    return keys
  }

  #fetch(url: URL, timeoutMs: number): Promise<FetchedJwks> {
    const { signal } = this.#closing
    if (signal.aborted) return Promise.reject(new Error('closed'))
    if (url.protocol === 'file:') return readJwks(url, signal)
    return fetchJwks(url, { clock: this.#deps.clock, timeoutMs, signal, ca: this.#options.ca })
  }
}

async function readJwks(url: URL, signal: AbortSignal): Promise<FetchedJwks> {
  const text = await readFile(url, { encoding: 'utf8', signal })
  if (text.length > maxJwksBytes) throw new Error(`the file is larger than ${maxJwksBytes} bytes`)
  return { text, maxAgeMs: undefined }
}

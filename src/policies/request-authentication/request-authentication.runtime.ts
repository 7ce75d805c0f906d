// Verifies the JSON Web Token of a request as Envoy's jwt_authn filter does: none goes on, a bad one ends here, a good one says whom the request is from.
import { compactVerify } from 'jose'

import type { FilteredRequest, FilterRefusal, FilterResult, HttpFilter } from '../../contracts/http-filter.ts'
import type { RequestHead } from '../../contracts/http-message.ts'
import type { Clock } from '../../core/clock.ts'
import type { HeaderList } from '../../core/header-list.ts'
import { importKey, isObject, pickKeys } from './jwks.runtime.ts'
import type { JwksSource, KeySet } from './jwks.runtime.ts'
import type { JwtRule, RequestAuthenticationSpec } from './request-authentication.spec.ts'
import { TokenCache } from './token-cache.runtime.ts'
import type { VerifiedEntry } from './token-cache.runtime.ts'
import { readToken, TokenFault } from './token-format.runtime.ts'
import type { ReadToken } from './token-format.runtime.ts'
import { compileTokenLocations } from './token-locations.runtime.ts'
import type { FoundToken, TokenLocation } from './token-locations.runtime.ts'

export interface RequestAuthenticationDeps {
  readonly clock: Clock
  readonly jwks: JwksSource
}

const clockSkewSeconds = 60

export function requestAuthenticationFilter(
  spec: RequestAuthenticationSpec,
  deps: RequestAuthenticationDeps,
): HttpFilter {
  return new RequestAuthentication(spec, deps)
}

class RequestAuthentication implements HttpFilter {
  readonly name = 'envoy.filters.http.jwt_authn'
  readonly #clock: Clock
  readonly #jwks: JwksSource
  readonly #locations: readonly TokenLocation[]
  /** Headers that only this filter may write, in lower case. */
  readonly #outputs: readonly string[]
  /** Where it looks for tokens, in lower case. */
  readonly #tokenHeaders: readonly string[]
  readonly #verified = new TokenCache()

  constructor(spec: RequestAuthenticationSpec, { clock, jwks }: RequestAuthenticationDeps) {
    this.#clock = clock
    this.#jwks = jwks
    this.#locations = compileTokenLocations(spec.rules)
    this.#tokenHeaders = spec.rules.flatMap(({ fromHeaders }) => fromHeaders.map(({ name }) => name.toLowerCase()))
    this.#outputs = [...new Set(spec.rules.flatMap(outputHeaders).map((name) => name.toLowerCase()))]
  }

  ownsHeader(name: string): boolean {
    return this.#outputs.includes(name) || this.#tokenHeaders.includes(name)
  }

  apply(request: FilteredRequest): FilterResult | Promise<FilterResult> {
    const { head } = request
    if (this.#outputs.length > 0) removeSpellings(head.headers, this.#outputs)
    const tokens: FoundToken[] = []
    for (const location of this.#locations) location.find(head, tokens)
    const [found] = tokens
    if (found === undefined) return undefined
    // The application might read the one that was not verified.
    if (tokens.length > 1) return refusal(head, 'Jwt occurs more than once')
    const known = this.#recall(found)
    if (known !== undefined) return accept(request, found, known)
    try {
      const token = readToken(found.text)
      const rule = this.#ruleFor(token, found)
      this.#checkTimes(token)
      return this.#verify(request, found, token, rule)
    } catch (thrown) {
      return refusal(head, faultMessage(thrown))
    }
  }

  #recall(found: FoundToken): VerifiedEntry | undefined {
    const entry = this.#verified.get(found.text)
    if (entry === undefined) return undefined
    if (this.#isExpired(entry.token) || this.#jwks.current(entry.rule) !== entry.keys) {
      this.#verified.delete(found.text)
      return undefined
    }
    return found.rules.includes(entry.rule) ? entry : undefined
  }

  #ruleFor(token: ReadToken, found: FoundToken): JwtRule {
    const rule = found.rules.find(({ issuer }) => issuer === token.issuer)
    if (rule === undefined) throw new TokenFault('Jwt issuer is not configured')
    if (rule.audiences.length > 0 && !rule.audiences.some((audience) => token.audiences.includes(audience)))
      throw new TokenFault('Audiences in Jwt are not allowed')
    return rule
  }

  #checkTimes(token: ReadToken): void {
    if (this.#isExpired(token)) throw new TokenFault('Jwt is expired')
    const { notBefore } = token
    if (notBefore !== undefined && this.#clock.nowMs() / 1000 < notBefore - clockSkewSeconds)
      throw new TokenFault('Jwt not yet valid')
  }

  #isExpired({ expiresAt }: ReadToken): boolean {
    return expiresAt !== undefined && this.#clock.nowMs() / 1000 >= expiresAt + clockSkewSeconds
  }

  async #verify(request: FilteredRequest, found: FoundToken, token: ReadToken, rule: JwtRule): Promise<FilterResult> {
    try {
      const keys = await this.#keysFor(token, rule)
      await checkSignature(found.text, token, keys)
      const entry = { token, rule, keys }
      this.#verified.set(found.text, entry)
      return accept(request, found, entry)
    } catch (thrown) {
      return refusal(request.head, faultMessage(thrown))
    }
  }

  async #keysFor(token: ReadToken, rule: JwtRule): Promise<KeySet> {
    const has = (keys: KeySet): boolean => pickKeys(keys, token.kid, token.algorithm).length > 0
    let keys: KeySet
    try {
      keys = this.#jwks.current(rule) ?? (await this.#jwks.load(rule))
      if (!has(keys)) keys = await this.#jwks.reload(rule)
    } catch {
      throw new TokenFault('Jwks remote fetch is failed')
    }
    if (!has(keys)) throw new TokenFault("Jwks doesn't have key to match kid or alg from Jwt")
    return keys
  }
}

function outputHeaders({ outputPayloadToHeader, outputClaimToHeaders }: JwtRule): string[] {
  const names = outputClaimToHeaders.map(({ header }) => header)
  return (outputPayloadToHeader === undefined ? names : [outputPayloadToHeader, ...names]).map((name) =>
    name.toLowerCase(),
  )
}

async function checkSignature(text: string, { algorithm, kid }: ReadToken, keys: KeySet): Promise<void> {
  for (const key of pickKeys(keys, kid, algorithm)) {
    try {
      await compactVerify(text, await importKey(key, algorithm), { algorithms: [algorithm] })
      return
    } catch {
      // Not signed with this one
    }
  }
  throw new TokenFault('Jwt verification fails')
}

function accept(request: FilteredRequest, found: FoundToken, { token, rule }: VerifiedEntry): undefined {
  const { issuer, subject, audiences, claims } = token
  request.token = { issuer, subject, audiences, claims }
  const { head } = request
  if (!rule.forwardOriginalToken) found.location.remove(head)
  if (rule.outputPayloadToHeader !== undefined) head.headers.set(rule.outputPayloadToHeader, token.payload)
  for (const { header, claim } of rule.outputClaimToHeaders) {
    const text = claimText(claimAt(claims, claim))
    if (text !== undefined && isSayable(text)) head.headers.set(header, Buffer.from(text).toString('latin1'))
  }
}

/** Servers of the CGI kind read "x_user" as "x-user". */
function removeSpellings(headers: HeaderList, names: readonly string[]): void {
  for (const name of names) headers.delete(name)
  const others = [...headers].flatMap(([name]) => (name.includes('_') ? [name] : []))
  for (const name of others) if (names.includes(name.toLowerCase().replaceAll('_', '-'))) headers.delete(name)
}

/** A header would lose blanks at its ends and control characters: another subject might be left. */
function isSayable(text: string): boolean {
  // eslint-disable-next-line no-control-regex
  return text === text.trim() && !/[\u0000-\u001f\u007f]/.test(text)
}

/** A claim of that very name, else dots lead into objects. */
function claimAt(claims: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name]
  let value: unknown = claims
  for (const step of name.split('.')) value = isObject(value) && Object.hasOwn(value, step) ? value[step] : undefined
  return value
}

/** Lists and objects as Envoy writes them: base64url of JSON. */
function claimText(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string') return value
  const text = JSON.stringify(value)
  return typeof value === 'object' ? Buffer.from(text).toString('base64url') : text
}

function faultMessage(thrown: unknown): string {
  return thrown instanceof TokenFault ? thrown.message : 'Jwt verification fails'
}

function refusal(head: RequestHead, detail: string): FilterRefusal {
  const realm = head.authority.replace(/["\\]/g, '')
  return {
    status: 401,
    flags: [],
    detail,
    headers: ['www-authenticate', `Bearer realm="${realm}", error="invalid_token"`],
  }
}

// What one request passes before it is routed: the filters of its chain. What they saw of it is kept for policies that ask later.
import type {
  FilteredBody,
  FilteredRequest,
  FilterResult,
  GatheredBody,
  ResponsePass,
} from '../../contracts/http-filter.ts'
import type { RequestHead, ResponseHead } from '../../contracts/http-message.ts'
import { errorMessage } from '../../core/errors.ts'
import { HeaderList } from '../../core/header-list.ts'
import type { Logger } from '../../core/logger.ts'
import type { ServerStream } from '../codec/http-stream.ts'
import type { DocumentFilterConfig, HttpConnectionManagerConfig } from '../runtime/runtime-config.ts'
import type { Exchange } from '../telemetry/exchange.ts'
import type { ResponseCompression } from '../upstream/compressed-stream.ts'
import type { RequestBody } from '../upstream/request-body.ts'
import { type FilteredOwner, FilteredResponse } from './filtered-response.ts'
import { guardTrailers } from './guarded-trailers.ts'
import { type BuiltFilters, type HttpFilters, runFilters } from './http-filters.ts'
import { filteredRequest, peerFacts } from './peer-facts.ts'

export interface RequestFiltersDeps {
  readonly filters: HttpFilters
  readonly logger: Logger
}

const none: readonly never[] = []

export class RequestFilters implements FilteredBody {
  readonly #deps: RequestFiltersDeps
  readonly #stream: ServerStream
  readonly #body: RequestBody
  readonly #exchange: Exchange
  #facts: FilteredRequest | undefined
  /** Those that it passes. */
  #passed: BuiltFilters | undefined
  /** Those of its route, and the request as they see it. */
  #routed: { readonly filters: BuiltFilters; readonly facts: FilteredRequest } | undefined
  #ended = false

  constructor(deps: RequestFiltersDeps, stream: ServerStream, body: RequestBody, exchange: Exchange) {
    this.#deps = deps
    this.#stream = stream
    this.#body = body
    this.#exchange = exchange
  }

  /** The request as filters saw it; where there were none, as it was when first asked for. `remoteAddress`: for then. */
  facts(remoteAddress: () => string): FilteredRequest {
    return (this.#facts ??= this.#seenFrom(remoteAddress(), undefined))
  }

  #seenFrom(remoteAddress: string, body: FilteredBody | undefined): FilteredRequest {
    const { request, connection } = this.#stream
    return filteredRequest(request, peerFacts(connection, remoteAddress), body)
  }

  run(manager: HttpConnectionManagerConfig, remoteAddress: string): FilterResult | Promise<FilterResult> {
    const facts = (this.#facts = this.#seenFrom(remoteAddress, this.#waitedFor))
    const { filters } = (this.#passed = this.#deps.filters.of(manager))
    const result = runFilters(filters, facts, this.#failed)
    const noted = (refusal: FilterResult): FilterResult => {
      this.guardTrailers()
      this.#exchange.authorization = facts.authorization
      this.#exchange.rateLimit = facts.rateLimit
      return refusal
    }
    return result instanceof Promise ? result.then(noted) : noted(result)
  }

  /** Has it pass those of its route. `head`: theirs to change. */
  runRouted(
    configs: readonly DocumentFilterConfig[],
    head: RequestHead,
    remoteAddress: () => string,
  ): FilterResult | Promise<FilterResult> {
    const filters = this.#deps.filters.ofRoute(configs)
    const passed = this.#facts
    const facts = filteredRequest(
      head,
      passed?.peer ?? peerFacts(this.#stream.connection, remoteAddress()),
      this.#waitedFor,
    )
    if (passed !== undefined) {
      facts.token = passed.token
      facts.authorization = passed.authorization
      facts.ownedHeaders = passed.ownedHeaders
      facts.rateLimit = passed.rateLimit
      facts.responsePass = passed.responsePass
    }
    this.#routed = { filters, facts }
    return runFilters(filters.filters, facts, this.#failed)
  }

  get #waitedFor(): FilteredBody | undefined {
    const { upgrade, request } = this.#stream
    return this.#body.length === 0 || upgrade !== undefined || request.method === 'CONNECT' ? undefined : this
  }

  readonly #failed = (error: unknown): void => {
    if (!this.#ended) this.#deps.logger.error('filter failed', { error: errorMessage(error) })
  }

  /** Once they are here, and again when the filters have decided: before they go on. */
  guardTrailers(): void {
    const { trailers } = this.#body
    if (trailers === undefined || this.#passed === undefined || this.#facts === undefined) return
    guardTrailers(trailers, this.#passed.filters, this.#facts)
  }

  /** With what filters add to the response. */
  modifying(modify: (response: ResponseHead) => void): (response: ResponseHead) => void {
    const headers = this.#facts?.responseHeaders ?? none
    if (headers.length === 0 && !this.#hasResponders) return modify
    return (response) => {
      modify(response)
      for (let i = 0; i < headers.length; i += 2) response.headers.add(headers[i] as string, headers[i + 1] as string)
      this.respond(response)
    }
  }

  /** Undefined: bodies of responses go as they are, or `wayBack` sees to it. */
  get compression(): ResponseCompression | undefined {
    return this.#responsePass?.looksAtResponses === true ? undefined : this.#compression
  }

  get #compression(): ResponseCompression | undefined {
    const ofRoute = this.#routed?.filters.compressors ?? none
    const ofListener = this.#passed?.compressors ?? none
    if (ofRoute.length + ofListener.length === 0) return undefined
    const compressors = ofListener.length === 0 ? ofRoute : [...ofRoute, ...ofListener]
    return { compressors, slots: this.#deps.filters.compressionSlots }
  }

  get #hasResponders(): boolean {
    return (this.#passed?.responders.length ?? 0) + (this.#routed?.filters.responders.length ?? 0) > 0
  }

  /** Filters change the head that goes to the caller: to be called once. */
  respond(response: ResponseHead): void {
    if (this.#routed !== undefined) this.#respond(this.#routed.filters, this.#routed.facts, response)
    if (this.#passed !== undefined && this.#facts !== undefined) this.#respond(this.#passed, this.#facts, response)
  }

  #respond({ responders }: BuiltFilters, facts: FilteredRequest, response: ResponseHead): void {
    for (const filter of responders)
      try {
        filter.respond?.(facts, response)
      } catch (error) {
        this.#failed(error)
      }
  }

  /** Undefined: no filter looks at more of the response than changes its head at once. */
  wayBack(owner: FilteredOwner): FilteredResponse | undefined {
    const pass = this.#responsePass
    if (pass?.looksAtResponses !== true) return undefined
    return new FilteredResponse(pass, this.#stream, this.#exchange, owner, this.#compression)
  }

  get #responsePass(): ResponsePass | undefined {
    return (this.#routed?.facts ?? this.#facts)?.responsePass
  }

  replace(bytes: Uint8Array): void {
    this.#body.replace(bytes)
  }

  /** The request is over. */
  end(): void {
    this.#ended = true
    const pass = this.#responsePass
    if (pass === undefined) return
    if (pass.records.length > 0) this.#exchange.filters = pass.records
    this.#exchange.metadata = pass.metadata
  }

  get declaredBytes(): number | undefined {
    const { length } = this.#body
    return length === 'unknown' ? undefined : length
  }

  gather(bytes: number): Promise<GatheredBody> {
    const { request, expectsContinue } = this.#stream
    // Nobody else will say it, and what is here already is not to be asked for again.
    if (expectsContinue && request.headers.has('expect')) {
      request.headers.delete('expect')
      this.#stream.sendInformational({ status: 100, headers: new HeaderList() })
    }
    const gathered = this.#body.gather(bytes)
    if (this.#body.awaited) this.#stream.resume()
    return gathered
  }
}

// What one request passes before it is routed: the filters of its chain. What they saw of it is kept for policies that ask later.
import type {
  FilteredBody,
  FilteredRequest,
  FilterResult,
  GatheredBody,
  HttpFilter,
} from '../../contracts/http-filter.ts'
import type { ResponseHead } from '../../contracts/http-message.ts'
import { errorMessage } from '../../core/errors.ts'
import { HeaderList } from '../../core/header-list.ts'
import type { Logger } from '../../core/logger.ts'
import type { ServerStream } from '../codec/http-stream.ts'
import type { HttpConnectionManagerConfig } from '../runtime/runtime-config.ts'
import type { Exchange } from '../telemetry/exchange.ts'
import type { RequestBody } from '../upstream/request-body.ts'
import { guardTrailers } from './guarded-trailers.ts'
import { type HttpFilters, runFilters } from './http-filters.ts'
import { filteredRequest } from './peer-facts.ts'

export interface RequestFiltersDeps {
  readonly filters: HttpFilters
  readonly logger: Logger
}

export class RequestFilters implements FilteredBody {
  readonly #deps: RequestFiltersDeps
  readonly #stream: ServerStream
  readonly #body: RequestBody
  readonly #exchange: Exchange
  #facts: FilteredRequest | undefined
  /** Those that it passes. */
  #passed: readonly HttpFilter[] | undefined
  #ended = false

  constructor(deps: RequestFiltersDeps, stream: ServerStream, body: RequestBody, exchange: Exchange) {
    this.#deps = deps
    this.#stream = stream
    this.#body = body
    this.#exchange = exchange
  }

  /** The request as filters saw it; where there were none, as it was when first asked for. `remoteAddress`: for then. */
  facts(remoteAddress: () => string): FilteredRequest {
    return (this.#facts ??= filteredRequest(this.#stream, remoteAddress()))
  }

  run(manager: HttpConnectionManagerConfig, remoteAddress: string): FilterResult | Promise<FilterResult> {
    const { upgrade, request } = this.#stream
    const body = this.#body.complete || upgrade !== undefined || request.method === 'CONNECT' ? undefined : this
    const facts = (this.#facts = filteredRequest(this.#stream, remoteAddress, body))
    const filters = (this.#passed = this.#deps.filters.of(manager))
    const result = runFilters(filters, facts, (error) => {
      if (!this.#ended) this.#deps.logger.error('filter failed', { error: errorMessage(error) })
    })
    const noted = (refusal: FilterResult): FilterResult => {
      this.guardTrailers()
      this.#exchange.authorization = facts.authorization
      this.#exchange.rateLimit = facts.rateLimit
      return refusal
    }
    return result instanceof Promise ? result.then(noted) : noted(result)
  }

  /** Once they are here, and again when the filters have decided: before they go on. */
  guardTrailers(): void {
    const { trailers } = this.#body
    if (trailers === undefined || this.#passed === undefined || this.#facts === undefined) return
    guardTrailers(trailers, this.#passed, this.#facts)
  }

  /** With what filters add to the response. */
  modifying(modify: (response: ResponseHead) => void): (response: ResponseHead) => void {
    const headers = this.#facts?.responseHeaders
    if (headers === undefined) return modify
    return (response) => {
      modify(response)
      for (let i = 0; i < headers.length; i += 2) response.headers.add(headers[i] as string, headers[i + 1] as string)
    }
  }

  /** The request is over. */
  end(): void {
    this.#ended = true
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

// What a TypeScript filter is to its author: published as "heddle/filter". Types only, so that a filter imports nothing when it runs.

/** A value that later filters, the access log and the decision record may see. */
export type MetadataValue = string | number | boolean

/** Names ignore case. */
export interface ReadonlyFilterHeaders {
  /** Joined with ", " where the name occurs more than once; undefined: absent. */
  get(name: string): string | undefined
  has(name: string): boolean
  [Symbol.iterator](): IterableIterator<readonly [name: string, value: string]>
}

/** Those that say how a message is framed belong to the proxy: changing one throws a TypeError. */
export interface FilterHeaders extends ReadonlyFilterHeaders {
  /** Replaces every line of that name. */
  set(name: string, value: string): void
  /** One more line. */
  append(name: string, value: string): void
  delete(name: string): void
}

export interface FilterRequest {
  readonly method: string
  readonly scheme: 'http' | 'https'
  /** host[:port]. */
  readonly authority: string
  /** With query. May be set: a filter of a route chooses no other route by it, one of a Service or Gateway comes before the routes. */
  path: string
  readonly headers: FilterHeaders
}

export interface FilterResponse {
  /** May be set, to 200 and above. */
  status: number
  readonly headers: FilterHeaders
  /** `onResponseBody` of this filter is not called for this response: it passes as it comes. */
  skipBody(): void
}

/** An answer in the place of the destination's. */
export interface FilterAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** Text becomes UTF-8. */
  readonly body?: string | Uint8Array
}

/** One exchange as one filter sees it: the same object in all its calls. */
export interface FilterContext {
  /** As it came to this filter; in the calls for the response, as it went on. */
  readonly request: Readonly<Omit<FilterRequest, 'headers'>> & { readonly headers: ReadonlyFilterHeaders }
  readonly caller: {
    /** SPIFFE ID of the caller's certificate. At the caller's own sidecar and for callers outside the mesh: undefined. */
    readonly principal: string | undefined
    /** IP address. */
    readonly address: string
  }
  /** Of the JSON Web Token that a RequestAuthentication has found good. */
  readonly claims: Readonly<Record<string, unknown>> | undefined
  /** Of the whole exchange, shared by its filters; at most 32 entries, texts of at most 256 characters. */
  readonly metadata: FilterMetadata
  /** Of this filter, for this exchange. */
  readonly state: Record<string, unknown>
  /** Adds 1 to `heddle_filter_events_total{filter,event,value}`. Series are capped. */
  count(event: string, value?: string): void
  /** Observes `heddle_filter_observations{filter,name}`. */
  observe(name: string, value: number): void
}

export interface FilterMetadata {
  get(name: string): MetadataValue | undefined
  set(name: string, value: MetadataValue): void
}

type Result<T> = T | Promise<T>

/** What of these a filter has is called, in the order of the route's filters for requests, in the other order for responses. */
export interface FilterHandlers {
  /** With an answer, the request goes no further. */
  onRequest?: (request: FilterRequest, context: FilterContext) => Result<FilterAnswer | void>
  /**
   * With the whole body, where there is one of no more than `maxBodyBytes`. What it returns goes in its place. Not for gRPC, nor for requests
   * that change the protocol.
   */
  onRequestBody?: (
    body: Uint8Array,
    request: FilterRequest,
    context: FilterContext,
  ) => Result<Uint8Array | string | FilterAnswer | void>
  onResponse?: (response: FilterResponse, context: FilterContext) => Result<FilterAnswer | void>
  /** As `onRequestBody`; not for event streams either. The response waits until all of it is here. */
  onResponseBody?: (
    body: Uint8Array,
    response: FilterResponse,
    context: FilterContext,
  ) => Result<Uint8Array | string | FilterAnswer | void>
}

/** What a filter's file exports by default: the handlers, or what makes them of the document's `config`, once. */
// oxlint-disable-next-line typescript/no-explicit-any
export type Filter<Config = any> = FilterHandlers | ((config: Config) => FilterHandlers)

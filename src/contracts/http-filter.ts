// What an HTTP filter sees of a request before it is routed, and what it may answer it with.
import type {
  AuthorizationRecord,
  DecisionRecord,
  FilterRecord,
  RateLimitRecord,
  ResponseFlag,
} from './decision-record.ts'
import type { RequestHead, ResponseHead } from './http-message.ts'

/** The connection that a request or a stream of bytes came by. */
export interface PeerFacts {
  /** SPIFFE ID of the certificate that the peer showed; undefined when it showed none. */
  readonly principal: string | undefined
  /** IP address of the peer. */
  readonly address: string
  /** Of the peer. */
  readonly port: number
  /** IP address of whom the request is from: further back than `address` where proxies in front are trusted. */
  readonly remoteAddress: string
  readonly localAddress: string
  readonly localPort: number
  readonly sni: string | undefined
}

/** A JSON Web Token whose signature, issuer, audience and times were found good. */
export interface VerifiedToken {
  readonly issuer: string
  readonly subject: string
  readonly audiences: readonly string[]
  readonly claims: Readonly<Record<string, unknown>>
}

/** As far as it has come. */
export interface GatheredBody {
  readonly bytes: Uint8Array
  /** There is nothing more. */
  readonly complete: boolean
}

/** A body that has not been passed on yet. What filters gather of it is kept, and goes on first. */
export interface FilteredBody {
  /** Undefined: nobody knows before it ends. */
  readonly declaredBytes: number | undefined
  /** Waits for at least `bytes` of it, or its end, and stops the caller there. Rejects when the caller goes away. */
  gather(bytes: number): Promise<GatheredBody>
  /** Another goes on in its place. Only once all of it has been gathered. */
  replace(bytes: Uint8Array): void
}

/** What filters do to the response of a request that they have seen. In the other order: the last comes first. */
export interface ResponsePass {
  /** As it stands, once one has passed. */
  readonly response: ResponseHead | undefined
  /** The most bytes of the body that a filter will look at; 0: none will. */
  readonly wantedBytes: number
  /** What they did, requests included, and what they said about it. */
  readonly records: readonly FilterRecord[]
  readonly metadata: DecisionRecord['metadata']
  /** Some filter has something to do with it. */
  readonly looksAtResponses: boolean
  /** `head` becomes `response`. Undefined: it goes on; else that goes in its place. */
  passHead(head: ResponseHead): FilterResult | Promise<FilterResult>
  /** After the head, of a body that is no longer than `wantedBytes`: as it goes on. */
  passBody(whole: Uint8Array): Promise<Uint8Array | FilterRefusal>
  /** After the head, of one that is longer. */
  bodyTooLarge(): FilterResult
}

export interface FilteredRequest {
  /** Filters may change its headers. */
  readonly head: RequestHead
  /** Of `head.path`, without query. */
  path: string
  readonly peer: PeerFacts
  /** Undefined: there is none, or what follows the head is no body. */
  readonly body: FilteredBody | undefined
  /** Set by request authentication. */
  token: VerifiedToken | undefined
  /** Set by authorization. */
  authorization: AuthorizationRecord | undefined
  /** Headers about which a filter has had the last word, for this request; in lower case. */
  ownedHeaders?: readonly string[] | undefined
  /** Set by rate limits. */
  rateLimit?: RateLimitRecord | undefined
  /** To be added to the response: names and values in turn. */
  responseHeaders?: string[] | undefined
  /** Of filters that look at responses too. */
  responsePass?: ResponsePass | undefined
}

/** The request ends here. */
export interface FilterRefusal {
  readonly status: number
  /** For gRPC callers, where it does not follow from the status. */
  readonly grpcStatus?: number
  readonly flags: readonly ResponseFlag[]
  /** For the caller and the decision record; says nothing that the caller should not know. */
  readonly detail: string
  /** For the caller in the place of `detail`. */
  readonly body?: Uint8Array
  /** Names and values in turn. */
  readonly headers?: readonly string[]
}

export type FilterResult = FilterRefusal | undefined

export interface HttpFilter {
  readonly name: string
  /** Whether nobody but this filter says what that header holds, in trailers neither. `name` in lower case. */
  ownsHeader?(name: string): boolean
  /** Undefined: the request goes on. A promise only where something has to be waited for. A rejection refuses the request. */
  apply(request: FilteredRequest): FilterResult | Promise<FilterResult>
  /** Changes the head that goes to the caller, be it the application's or the proxy's own, once. The last filter comes first. */
  readonly respond?: (request: FilteredRequest, response: ResponseHead) => void
}

/** Counts what one limit has said. */
export type RateLimitCounter = (verdict: 'allowed' | 'limited' | 'dry_run' | 'failed') => void

// Limits of the requests that reach a workload: counted by its own proxy, or by a server that all proxies ask.

export interface TokenBucketSpec {
  /** What it holds, and holds at first. */
  readonly maxTokens: number
  readonly tokensPerFill: number
  /** Tokens come evenly within it. */
  readonly fillIntervalMs: number
}

/** What a request is counted by. */
export type DescriptorSource =
  /** SPIFFE ID of the caller; the same for all that have shown none. */
  | { readonly kind: 'caller' }
  /** Lower case. Requests without the header are not counted. */
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'method' }
  /** Without query. */
  | { readonly kind: 'path' }
  /** IP address of whom the request is from. */
  | { readonly kind: 'address' }
  /** Of a verified token. Requests without the claim, or with one that is no text, number or boolean, are not counted. */
  | { readonly kind: 'claim'; readonly path: readonly string[] }

export interface DescriptorEntrySpec {
  readonly key: string
  readonly by: DescriptorSource
  /** Only requests with it are counted; absent: each value is counted for itself. */
  readonly value?: string
}

export interface LocalRateLimitSpec {
  /** "TrafficPolicy/default/reviews/per-caller". */
  readonly name: string
  readonly tokenBucket: TokenBucketSpec
  /** None: all requests are counted together. */
  readonly descriptor: readonly DescriptorEntrySpec[]
  /** Millionths of the requests beyond the limit that are refused; the others pass, and are counted. */
  readonly enforcedShare: number
  /** All proxies of the destination together. Only without a descriptor. */
  readonly shared?: true
  /** Responses to requests within the limit say how much of it is left, too. */
  readonly announced?: true
}

export interface RateLimitServerSpec {
  readonly cluster: string
  /** For one question. */
  readonly timeoutMs: number
  /** Requests that the server gives no answer about are refused. */
  readonly failureModeDeny: boolean
  /** With this status. */
  readonly statusOnError: number
}

/** `constant`: the same for every request. */
export type DescriptorActionSpec =
  | { readonly key: string; readonly by: DescriptorSource }
  | { readonly key: string; readonly constant: string }

export interface GlobalRateLimitSpec {
  /** "TrafficPolicy/default/reviews". */
  readonly name: string
  readonly domain: string
  readonly server: RateLimitServerSpec
  /** What the server is asked about, at once. One whose entries a request does not all have is left out. */
  readonly descriptors: readonly (readonly DescriptorActionSpec[])[]
}

export interface RateLimitQuestion {
  readonly domain: string
  readonly descriptors: readonly (readonly { readonly key: string; readonly value: string }[])[]
}

export interface RateLimitAnswer {
  readonly limited: boolean
  /** The limit that comes first of those that are reached; undefined: the server does not say. */
  readonly reached: ReachedLimit | undefined
  /** Names in lower case, and values, in turn. */
  readonly responseHeaders: readonly string[]
  readonly requestHeaders: readonly string[]
  /** Of a refusal; '': one of our own. */
  readonly body: string
}

export interface ReachedLimit {
  readonly name: string
  readonly requests: number
  /** Undefined: a unit that is not known. */
  readonly windowSeconds: number | undefined
  readonly resetSeconds: number
}

/** Rejects when there is no answer; `signal`: nobody waits for one any more. */
export type AskRateLimit = (question: RateLimitQuestion, signal: AbortSignal) => Promise<RateLimitAnswer>

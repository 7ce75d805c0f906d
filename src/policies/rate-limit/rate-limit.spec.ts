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
}

// What a proxy says about the caller to those behind it, and what it believes of what callers say.

export interface ForwardedHeadersSpec {
  /** Adds the caller's address to X-Forwarded-For. */
  readonly appendForwardedFor: boolean
  /** Adds an element to Forwarded (RFC 7239). */
  readonly forwardedHeader: boolean
  /** Name in Via (RFC 9110 section 7.6.3); undefined: no line. */
  readonly via: string | undefined
  /** Proxies in front of this one that are believed: what they appended is kept, what came before it is not. */
  readonly trustedHops: number
}

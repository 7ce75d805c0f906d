// Which version of HTTP the endpoints of a cluster are spoken to in.

/**
 * What endpoints in plaintext speak. `downstream`: what the caller spoke. Endpoints behind TLS are asked (ALPN), by the offer of their TLS
 * context.
 */
export type HttpProtocol = 'http1' | 'http2' | 'downstream'

/** Pings of HTTP/2 connections on which nothing is heard for `intervalMs`; without an answer within `timeoutMs` the peer is gone. */
export interface KeepAliveSpec {
  readonly intervalMs: number
  readonly timeoutMs: number
}

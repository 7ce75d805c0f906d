// Which version of HTTP the endpoints of a cluster are spoken to in.

/**
 * What endpoints in plaintext speak. `downstream`: what the caller spoke. Endpoints behind TLS are asked (ALPN), by the offer of their TLS
 * context.
 */
export type HttpProtocol = 'http1' | 'http2' | 'downstream'

// An X.509-SVID and the roots that verify its peers, as the proxy and the authority hand them around.

export interface X509Svid {
  readonly spiffeId: string
  /** PEM, leaf first, then intermediates. */
  readonly certificateChainPem: string
  /** PEM, PKCS#8. Never leaves the process that made it. */
  readonly privateKeyPem: string
  /** Milliseconds since the Unix epoch. */
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

export interface TrustBundle {
  readonly trustDomain: string
  /** PEM, one or more roots. */
  readonly rootsPem: string
}

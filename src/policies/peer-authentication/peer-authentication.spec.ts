// What an inbound listener demands of its callers.

export type PeerAuthenticationMode = 'STRICT' | 'PERMISSIVE' | 'DISABLE'

export interface PeerAuthenticationSpec {
  readonly mode: PeerAuthenticationMode
}

/** As a PeerAuthentication document says it; `UNSET` takes what the next wider scope says. */
export interface MutualTls {
  readonly mode: PeerAuthenticationMode | 'UNSET'
}

/** `spec` of a PeerAuthentication document. */
export interface PeerAuthenticationDocumentSpec {
  /** Absent, or without labels: the whole namespace. */
  readonly selector?: { readonly matchLabels: Readonly<Record<string, string>> }
  readonly mtls: MutualTls
  /** By the workload's port. */
  readonly portLevelMtls: Readonly<Record<string, MutualTls>>
}

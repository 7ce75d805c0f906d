// What an inbound listener demands of its callers.

export type PeerAuthenticationMode = 'STRICT' | 'PERMISSIVE' | 'DISABLE'

export interface PeerAuthenticationSpec {
  readonly mode: PeerAuthenticationMode
}

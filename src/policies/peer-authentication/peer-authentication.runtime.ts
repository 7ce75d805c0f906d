// Whether an inbound listener takes a connection, by how it is secured.
import type { PeerAuthenticationMode } from './peer-authentication.spec.ts'

export interface Transport {
  readonly secured: boolean
  /** Absent on plaintext, and on TLS without a client certificate. */
  readonly peerSpiffeId: string | undefined
}

/** Few and short: fit to be a label of a metric. */
export type PeerRefusal = 'plaintext' | 'no-client-certificate' | 'tls-disabled'

export type PeerDecision =
  | { readonly accept: true }
  | { readonly accept: false; readonly reason: PeerRefusal; readonly detail: string }

const accepted: PeerDecision = { accept: true }

export function decidePeer(mode: PeerAuthenticationMode, transport: Transport): PeerDecision {
  if (mode === 'DISABLE') {
    return transport.secured ? refuse('tls-disabled', 'this workload takes plaintext only (mode DISABLE)') : accepted
  }
  if (!transport.secured) {
    return mode === 'PERMISSIVE'
      ? accepted
      : refuse(
          'plaintext',
          'this workload takes mutual TLS only (mode STRICT): call it through the mesh, or set PERMISSIVE',
        )
  }
  return transport.peerSpiffeId === undefined
    ? refuse('no-client-certificate', 'the caller showed no certificate of the mesh')
    : accepted
}

function refuse(reason: PeerRefusal, detail: string): PeerDecision {
  return { accept: false, reason, detail }
}

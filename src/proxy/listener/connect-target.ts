// What the caller of a CONNECT asked for.
import type { Authority } from '../filter/authority.ts'
import type { RelayEnd } from '../tcp/relay.ts'

export interface ConnectTarget {
  readonly authority: Authority
  /** A service of the mesh: only what the proxy understands goes there. */
  readonly inMesh: boolean
  /** A tunnel of opaque bytes has ended. */
  onTunnelClosed(totals: Pick<RelayEnd, 'sentBytes' | 'receivedBytes'>, error: Error | undefined): void
}

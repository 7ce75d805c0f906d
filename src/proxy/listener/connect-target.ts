// What the caller of a CONNECT asked for.
import type { Authority } from '../filter/authority.ts'
import type { RelayEnd } from '../tcp/relay.ts'

export interface ConnectTarget {
  /** Whether the request may still go on, by policies that came since. Undefined: it may. */
  reauthorize(): Error | undefined
  readonly authority: Authority
  /** "host:port" of the service of the mesh that is meant: only what the proxy understands goes there. */
  readonly service: string | undefined
  /** A tunnel of opaque bytes has ended. */
  onTunnelClosed(totals: Pick<RelayEnd, 'sentBytes' | 'receivedBytes'>, error: Error | undefined): void
}

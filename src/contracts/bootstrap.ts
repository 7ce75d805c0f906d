// What a proxy process is told when it starts (a file, 0600). The set of sidecars may change later over the supervisor's channel.
import type { TrustBundle } from './identity/svid.ts'
import type { Locality } from './locality.ts'
import type { UnixRegistration } from './unix-registration.ts'

export interface ProxyBootstrap {
  /** "127.0.0.1:15012": xDS and certificates over TLS. */
  readonly controlPlaneAddress: string
  /** SPIFFE ID that the control plane must show. */
  readonly controlPlaneSpiffeId: string
  /** File with the trust bundle, PEM; read again on each connection attempt. */
  readonly trustBundleFile: string
  /** Bearer token of the sidecars' admin APIs. */
  readonly adminToken: string
  readonly sidecars: readonly SidecarBootstrap[]
  /** One of several processes of one proxy: certificates and sidecars come over the channel. */
  readonly worker?: true
  /** How many of them there are. */
  readonly workers?: number
}

export interface SidecarBootstrap {
  readonly kind: 'sidecar' | 'gateway'
  readonly namespace: string
  readonly name: string
  readonly spiffeId: string
  /** File with the join token; read again whenever the proxy must prove itself anew. */
  readonly tokenFile: string
  readonly adminAddress: string
  readonly metricsAddress: string
  /** Where it runs; absent: not told. */
  readonly locality?: Locality
  /** Where the application behind it asks for its identity; absent: nowhere. */
  readonly workloadApiSocket?: string
  /** Which processes may ask there; absent: whoever may open the socket. */
  readonly unix?: UnixRegistration
}

/** Messages on the channel between the supervisor and a proxy process it started. */
export type SupervisorMessage =
  | { readonly type: 'sidecars'; readonly sidecars: readonly SidecarBootstrap[] }
  /** To workers. `credentials` is as the proxy's I/O takes them; absent: it has none at the moment. */
  | {
      readonly type: 'credentials'
      readonly sidecar: string
      readonly credentials?: WorkerCredentials
      readonly notAfterMs?: number
      /** As of that certificate; what came since, a worker hears from the control plane. */
      readonly revoked: { readonly version: number; readonly notBeforeMs: Readonly<Record<string, number>> }
    }
  /** Stop accepting, let what is open end, then exit. A second one shortens the first. */
  | { readonly type: 'drain'; readonly deadlineMs: number }
  /** Answers `open`: the socket comes with it. Neither socket nor error: the proxy opens it itself. */
  | { readonly type: 'socket'; readonly request: number; readonly error?: SocketError }
/** `sidecar` is its node id, "sidecar~default~web". */
export type ProxyMessage =
  | { readonly type: 'ready'; readonly sidecar: string }
  | { readonly type: 'stopped'; readonly sidecar: string }
  /** Where its two ports really are. */
  | { readonly type: 'endpoints'; readonly sidecar: string; readonly admin: string; readonly metrics: string }
  /** Of a worker: the control plane wants the sidecar's certificate renewed within so many milliseconds. */
  | { readonly type: 'renew'; readonly sidecar: string; readonly withinMs: number }
  /** Its join token serves no more: a new one is wanted in its file. */
  | { readonly type: 'token-refused'; readonly sidecar: string }
  | ({ readonly type: 'open'; readonly request: number } & SocketAddress)
  /** It accepts there no more. */
  | ({ readonly type: 'close' } & SocketAddress)

/** Where a proxy accepts. Whoever started it keeps the socket, so that a successor accepts from the same queue. */
export interface SocketAddress {
  /** An IP address. */
  readonly host: string
  readonly port: number
  /** Which of several workers accepts on it: each has a socket of its own on the same port. */
  readonly share?: number
}

export interface WorkerCredentials {
  readonly certificateChainPem: string
  readonly privateKeyPem: string
  readonly rootsPem: string
  readonly federatedBundles?: readonly TrustBundle[]
}

export interface SocketError {
  /** "EADDRINUSE". */
  readonly code: string
  readonly message: string
}

/** What the control-plane process tells the supervisor over the same kind of channel, once it serves. */
export interface ControlPlaneMessage {
  readonly type: 'ready'
  /** "http://127.0.0.1:15014". */
  readonly apiUrl: string
  /** ProxyBootstrap.controlPlaneAddress, .controlPlaneSpiffeId and .trustBundleFile. */
  readonly xdsTlsAddress: string
  readonly spiffeId: string
  readonly trustBundleFile: string
}

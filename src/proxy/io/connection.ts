// The I/O interface of the data path: what a byte stream is to everything above it. Back ends implement it; nothing else touches sockets.

import type { TrustBundle } from '../../contracts/identity/svid.ts'
import type { OutputBuffer } from './output-buffer.ts'

/** Receives what happens on a connection. Callbacks never run inside the call that caused them. */
export interface ConnectionHandler {
  /** `bytes` is valid only during the call: the back end reuses the memory. Copy what must stay. */
  onData(bytes: Uint8Array): void
  /** The peer will send no more. The connection can still be written to. */
  onEnd(): void
  /** Called once, last; `error` is undefined after an orderly close on our side. */
  onClose(error: Error | undefined): void
  /** Everything written has been taken by the kernel: writing may go on. Only after `write` returned false. */
  onDrain(): void
}

export interface Connection {
  /** Reading starts when it is first set; may be replaced (detection hands over to a codec). */
  handler: ConnectionHandler
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  /** Present on secured connections. */
  readonly tls: TlsInfo | undefined
  readonly closed: boolean
  /** Takes ownership of `bytes`. False: above the high-water mark; wait for `onDrain`. Dropped silently after close. */
  write(bytes: Uint8Array): boolean
  /**
   * Writes what `output` holds, which is empty and ready for the next message afterwards: its memory serves again when the kernel took all
   * of it at once, as it mostly does. Returns as `write` does.
   */
  writeFrom(output: OutputBuffer): boolean
  /**
   * Writes bytes that another connection of this back end lends in its `onData`, from within that call. The back end keeps what the kernel
   * does not take at once: nobody needs to copy before. Returns as `write` does.
   */
  writeLent(bytes: Uint8Array): boolean
  /** Half-closes after what was written. */
  end(): void
  /** Closes at once; pending writes are lost. With an error the peer sees a reset. `onClose` follows. */
  destroy(error?: Error): void
  pause(): void
  resume(): void
}

export interface TlsInfo {
  /** The peer's SPIFFE ID; undefined when it showed no certificate. */
  readonly peerSpiffeId: string | undefined
  /** When the validity of the peer's certificate began, milliseconds since the Unix epoch; absent where no SPIFFE ID is known. */
  readonly peerNotBeforeMs?: number
  /** When the first of the two certificates, own and peer's, ends: milliseconds since the Unix epoch. */
  readonly notAfterMs: number
  readonly alpn: string | undefined
  readonly sni: string | undefined
}

export interface ServerSocket {
  readonly address: ListenAddress
  /** To be sent to another process, which goes on listening with it: what waits to be accepted is lost to neither. */
  readonly handle: ListeningHandle
  /** Stops accepting; open connections go on. */
  close(): Promise<void>
}

export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** A socket that listens: the runtime's own object, as `process.send(message, handle)` takes and delivers it, or a bare descriptor. */
export interface ListeningHandle {
  readonly fd: number
}

export interface ListenOptions {
  /** Several processes listen on the address, each with a socket of its own; the kernel spreads the connections. */
  readonly reusePort?: boolean
}

/** The credentials of one side; a new object after each renewal. */
export interface TlsCredentials {
  readonly certificateChainPem: string
  readonly privateKeyPem: string
  /** Of the trust domain; empty where no peer is verified with it (a gateway's certificate). */
  readonly rootsPem: string
  /** Of the other trust domains that are trusted, each for its own SPIFFE IDs alone; absent where there are none. */
  readonly federatedBundles?: readonly TrustBundle[]
}

export interface ConnectOptions {
  readonly host: string
  readonly port: number
  readonly timeoutMs: number
  readonly tls?: ClientTls
}

export type ClientTls = MeshTls | OriginatedTls

/** Mutual TLS with another workload of the mesh. */
export interface MeshTls {
  readonly kind: 'mesh'
  readonly credentials: TlsCredentials
  /** The peer must present one of these SPIFFE IDs. Sessions are never resumed, so this is checked on every handshake. */
  readonly peerSpiffeIds: readonly string[]
  /** Offered, most wanted first. */
  readonly alpn: readonly string[]
}

/** Ordinary TLS towards a server outside the mesh, verified by name (RFC 9525). */
export interface OriginatedTls {
  readonly kind: 'originate'
  /** Sent as SNI, and the name that the certificate must be for. */
  readonly serverName: string
  /** Names of which the certificate must have one instead; empty: `serverName`. */
  readonly subjectAltNames: readonly string[]
  /** PEM; undefined: the roots that the runtime ships. */
  readonly rootsPem: string | undefined
  readonly alpn: readonly string[]
}

/** What a listener shows to those who connect, and asks of them. */
export interface ServerTls {
  readonly credentials: TlsCredentials
  /** `required`: a certificate of the trust domain, else the handshake fails. `none`: not asked for (gateways). */
  readonly clientCertificate: 'required' | 'requested' | 'none'
  readonly alpn: readonly string[]
}

export interface IoBackend {
  readonly name: string
  /**
   * On an address, or on a socket that another process handed over. Rejects with the system error (EADDRINUSE, EACCES) when the address
   * cannot be had.
   */
  listen(
    where: ListenAddress | ListeningHandle,
    onConnection: (connection: Connection) => void,
    options?: ListenOptions,
  ): Promise<ServerSocket>
  /** Rejects on refusal, timeout, or a peer that is not who it should be. */
  connect(options: ConnectOptions): Promise<Connection>
  /** Secures an accepted connection as server; `head` is what detection has already read. */
  secure(connection: Connection, head: Uint8Array, tls: ServerTls, timeoutMs: number): Promise<Connection>
}

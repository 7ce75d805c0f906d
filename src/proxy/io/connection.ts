// The I/O interface of the data path: what a byte stream is to everything above it. Back ends implement it; nothing else touches sockets.

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
  /** When the first of the two certificates, own and peer's, ends: milliseconds since the Unix epoch. */
  readonly notAfterMs: number
  readonly alpn: string | undefined
  readonly sni: string | undefined
}

export interface ServerSocket {
  readonly address: { readonly host: string; readonly port: number }
  /** Stops accepting; open connections go on. */
  close(): Promise<void>
}

/** The credentials of one side; a new object after each renewal. */
export interface TlsCredentials {
  readonly certificateChainPem: string
  readonly privateKeyPem: string
  readonly rootsPem: string
}

export interface ConnectOptions {
  readonly host: string
  readonly port: number
  readonly timeoutMs: number
  readonly tls?: {
    readonly credentials: TlsCredentials
    /** The peer must present one of these SPIFFE IDs. Sessions are never resumed, so this is checked on every handshake. */
    readonly peerSpiffeIds: readonly string[]
    readonly alpn: readonly string[]
  }
}

export interface IoBackend {
  readonly name: string
  /** Rejects with the system error (EADDRINUSE, EACCES) when the address cannot be had. */
  listen(address: { host: string; port: number }, onConnection: (connection: Connection) => void): Promise<ServerSocket>
  /** Rejects on refusal, timeout, or a peer that is not who it should be. */
  connect(options: ConnectOptions): Promise<Connection>
  /**
   * Secures an accepted connection as server; `head` is what detection has already read. The peer must show a certificate of the trust
   * domain when `requireClientCertificate`.
   */
  secure(
    connection: Connection,
    head: Uint8Array,
    options: {
      readonly credentials: TlsCredentials
      readonly requireClientCertificate: boolean
      readonly alpn: readonly string[]
      readonly timeoutMs: number
    },
  ): Promise<Connection>
}

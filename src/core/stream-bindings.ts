// The runtime's own stream handles, one level below node:net: typed here as far as they are used, which is all the public there is to them.

export interface StreamHandle {
  onread: ((this: StreamHandle) => void) | undefined
  /** Whoever is told about what happens on the handle. */
  owner?: unknown
  readStart(): number
  readStop(): number
  /** Every read goes into `memory`, from its start. */
  useUserBuffer(memory: Uint8Array): void
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number
  writev(request: WriteRequest, chunks: readonly Uint8Array[], allBuffers: true): number
  shutdown(request: ShutdownRequest): number
}

export interface AddressOut {
  address?: string
  port?: number
}

export interface TcpHandle extends StreamHandle {
  readonly fd: number
  onconnection: ((this: TcpHandle, status: number, handle: TcpHandle | undefined) => void) | undefined
  open(fd: number): number
  bind(host: string, port: number, flags: number): number
  bind6(host: string, port: number, flags: number): number
  listen(backlog: number): number
  connect(request: ConnectRequest, host: string, port: number): number
  connect6(request: ConnectRequest, host: string, port: number): number
  getsockname(out: AddressOut): number
  getpeername(out: AddressOut): number
  setNoDelay(enable: boolean): number
  close(onClosed?: (this: TcpHandle) => void): void
  reset(onClosed?: (this: TcpHandle) => void): number
}

export interface TlsHandle extends StreamHandle {
  onhandshakestart: () => void
  onhandshakedone: (this: TlsHandle) => void
  onerror: (this: TlsHandle, error: Error) => void
  setVerifyMode(requestCertificate: boolean, rejectUnauthorized: boolean): void
  setALPNProtocols(wire: Uint8Array): void
  setServername(name: string): void
  /** Of a client: sends its hello. */
  start(): void
  /** Of a server: what was read from the connection before it was wrapped. */
  receive(bytes: Uint8Array): void
  verifyError(): (Error & { code?: string }) | null
  /** With `detailed`, its issuers come with it as `issuerCertificate`. */
  getPeerCertificate(detailed: boolean): { readonly raw?: Buffer } | undefined
  getALPNNegotiatedProtocol(): string | false | undefined
  getServername(): string | false | undefined
  destroySSL(): void
}

export interface WriteRequest {
  oncomplete?: (this: WriteRequest, status: number) => void
  owner?: unknown
  /** Referenced while libuv reads from it. */
  memory?: Uint8Array
  byteCount?: number
}

export interface ShutdownRequest {
  oncomplete?: (this: ShutdownRequest, status: number) => void
  owner?: unknown
}

export interface ConnectRequest {
  oncomplete?: (status: number) => void
}

export interface StreamBindings {
  readonly TCP: new (kind: number) => TcpHandle
  readonly TCPConnectWrap: new () => ConnectRequest
  readonly WriteWrap: new () => WriteRequest
  readonly ShutdownWrap: new () => ShutdownRequest
  readonly tcpConstants: { readonly SOCKET: number; readonly SERVER: number; readonly UV_TCP_REUSEPORT?: number }
  wrapTls(handle: TcpHandle, secureContext: unknown, isServer: boolean, hasPendingWrites: boolean): TlsHandle
  /** What the last call on any handle did; see the two indices. */
  readonly state: Int32Array
  /** In `state`: how many bytes were read, or the negative error. */
  readonly readBytesOrError: number
  /** In `state`: 0 when the kernel took everything at once. */
  readonly lastWriteWasAsync: number
}

/** Throws where the runtime denies them (its permission model) or does not have them. */
export function loadStreamBindings(): StreamBindings {
  const { noDeprecation } = process
  // The one public way to the handles is discouraged; a warning for every process that starts would tell its user nothing.
  process.noDeprecation = true
  try {
    const { binding } = process as unknown as { binding(this: void, name: string): Record<string, never> }
    const tcp = binding('tcp_wrap')
    const stream = binding('stream_wrap')
    const tls = binding('tls_wrap')
    const bindings: Record<keyof StreamBindings, unknown> = {
      TCP: tcp['TCP'],
      TCPConnectWrap: tcp['TCPConnectWrap'],
      tcpConstants: tcp['constants'],
      WriteWrap: stream['WriteWrap'],
      ShutdownWrap: stream['ShutdownWrap'],
      state: stream['streamBaseState'],
      readBytesOrError: stream['kReadBytesOrError'],
      lastWriteWasAsync: stream['kLastWriteWasAsync'],
      wrapTls: tls['wrap'],
    }
    for (const [name, value] of Object.entries(bindings)) {
      if (value === undefined) throw new Error(`this runtime has no ${name}`)
    }
    return bindings as unknown as StreamBindings
  } finally {
    if (noDeprecation === undefined) delete process.noDeprecation
    else process.noDeprecation = noDeprecation
  }
}

// TLS around a raw TCP handle, up to the end of the handshake.
import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import type { SecureContext } from 'node:tls'

import type { Clock, Timer } from '../../core/clock.ts'
import type { StreamHandle, TcpHandle, TlsHandle } from '../../core/stream-bindings.ts'
import type { ClientTls, ServerTls, TlsInfo } from './connection.ts'
import type { RawConnection, RawIo } from './raw-connection.ts'
import { endOfFile, systemError } from './system-error.ts'
import { clientContext, serverContext } from './tls-contexts.ts'
import {
  acceptServer,
  type CertificateWithIssuer,
  type HandshakeResult,
  intermediatesOf,
  tlsInfo,
} from './tls-identity.ts'

/** Resolves when `connection` is secured. Otherwise it is closed, and this rejects. */
export function startClient(io: RawIo, connection: RawConnection, tls: ClientTls, clock: Clock): Promise<void> {
  const handshake = new Handshake(io, connection, clientContext(tls), false, (result) =>
    acceptServer(result, tls, clock.nowMs()),
  )
  const { handle } = handshake
  handle.setVerifyMode(true, true)
  if (tls.alpn.length > 0) handle.setALPNProtocols(alpnWire(tls.alpn))
  // RFC 6066, section 3: addresses are not sent.
  if (tls.kind === 'originate' && isIP(tls.serverName) === 0) handle.setServername(tls.serverName)
  return handshake.run(() => handle.start())
}

/** `head` is what was read from `connection` already. */
export function startServer(
  io: RawIo,
  connection: RawConnection,
  head: Uint8Array,
  tls: ServerTls,
  { clock, timeoutMs }: { clock: Clock; timeoutMs: number },
): Promise<void> {
  const required = tls.clientCertificate === 'required'
  const handshake = new Handshake(io, connection, serverContext(tls), true, (result) =>
    tlsInfo(result, tls.credentials, required, clock.nowMs()),
  )
  const { handle } = handshake
  handle.setVerifyMode(tls.clientCertificate !== 'none', required)
  if (tls.alpn.length > 0) handle.setALPNProtocols(alpnWire(tls.alpn))
  const timer = clock.setTimer(timeoutMs, () => handshake.fail(new Error('TLS handshake timed out')))
  return handshake.run(() => handle.receive(head), timer)
}

class Handshake {
  readonly handle: TlsHandle
  readonly #io: RawIo
  readonly #connection: RawConnection
  readonly #accept: (result: HandshakeResult) => TlsInfo
  #timer: Timer | undefined
  #settled = false
  #resolve: () => void = () => {}
  #reject: (error: Error) => void = () => {}

  constructor(
    io: RawIo,
    connection: RawConnection,
    context: SecureContext,
    isServer: boolean,
    accept: (result: HandshakeResult) => TlsInfo,
  ) {
    this.#io = io
    this.#connection = connection
    this.#accept = accept
    const tcp: TcpHandle = connection.lend((error) => this.#settle(error))
    const handle = io.bindings.wrapTls(tcp, context.context, isServer, false)
    this.handle = handle
    Object.assign(handle, {
      owner: this,
      onread: onRead,
      onerror: onError,
      onhandshakestart: ignore,
      onhandshakedone: onDone,
    })
    connection.wrapped(handle)
  }

  run(begin: () => void, timer?: Timer): Promise<void> {
    this.#timer = timer
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
      const status = this.handle.readStart()
      if (status !== 0) this.fail(systemError(status, 'read'))
      else begin()
    })
  }

  received(): void {
    const { bindings } = this.#io
    const count = bindings.state[bindings.readBytesOrError] as number
    if (count >= 0) return
    this.fail(count === endOfFile ? new Error('closed during the TLS handshake') : systemError(count, 'read'))
  }

  done(): void {
    if (this.#settled) return
    try {
      this.#connection.secured(this.#accept(this.#result()))
      this.#settle(undefined)
    } catch (error) {
      this.fail(error as Error)
    }
  }

  fail(error: Error): void {
    if (this.#settled) return
    this.#settle(error)
    this.#connection.destroy()
  }

  #settle(error: Error | undefined): void {
    if (this.#settled) return
    this.#settled = true
    this.#timer?.cancel()
    if (error === undefined) this.#resolve()
    else this.#reject(error)
  }

  #result(): HandshakeResult {
    const { handle } = this
    const shown = handle.getPeerCertificate(true)
    // an empty object when the peer showed none
    const peer = shown?.raw === undefined ? undefined : (shown as CertificateWithIssuer)
    const verifyError = handle.verifyError()
    return {
      certificate: peer && new X509Certificate(peer.raw),
      intermediatesDer: peer === undefined ? [] : intermediatesOf(peer),
      verifyError: verifyError === null ? undefined : (verifyError.code ?? verifyError.message),
      alpn: handle.getALPNNegotiatedProtocol() || undefined,
      sni: handle.getServername() || undefined,
    }
  }
}

function onRead(this: StreamHandle): void {
  ;(this.owner as Handshake).received()
}

function onError(this: TlsHandle, error: Error): void {
  ;(this.owner as Handshake).fail(error)
}

function onDone(this: TlsHandle): void {
  ;(this.owner as Handshake).done()
}

function ignore(): void {}

/** RFC 7301, section 3.1. */
function alpnWire(protocols: readonly string[]): Uint8Array {
  return Buffer.concat(protocols.flatMap((name) => [Uint8Array.of(name.length), Buffer.from(name, 'latin1')]))
}

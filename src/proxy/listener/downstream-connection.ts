// One accepted connection on its way through detection and TLS to the HTTP codec, or into a tunnel.
import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Watchable } from '../../core/watchable.ts'
import type { ServerStream } from '../codec/http-stream.ts'
import { Http1ServerConnection } from '../codec/http1/server-connection.ts'
import type { Protocol } from '../detect/detect.ts'
import { Detector } from '../detect/detector.ts'
import type { Authority } from '../filter/authority.ts'
import type { Connection, IoBackend, TlsCredentials } from '../io/connection.ts'
import type { DownstreamTls, FilterChainConfig } from '../runtime/runtime-config.ts'
import type { ConnectionSink } from '../telemetry/exchange.ts'
import { joinConnections, type TunnelTotals } from '../upstream/tunnel.ts'
import { chainFor, type ListenerState } from './listener-state.ts'

export interface DownstreamDeps {
  readonly io: IoBackend
  readonly clock: Clock
  readonly credentials: Watchable<TlsCredentials | undefined>
  readonly connections: ConnectionSink
  serve(stream: ServerStream, origin: StreamOrigin): void
}

/** Where a request came in. */
export interface StreamOrigin {
  readonly listener: ListenerState
  readonly transport: FilterChainConfig['match']['transport']
  /** Set inside CONNECT: what the caller asked to be connected to. */
  readonly connectedTo: Authority | undefined
  /** What follows an accepted CONNECT. */
  continueConnect(connection: Connection, head: Uint8Array, target: ConnectTarget): void
}

export interface ConnectTarget {
  readonly authority: Authority
  /** A service of the mesh: only what the proxy understands goes there. */
  readonly inMesh: boolean
  /** A tunnel of opaque bytes has ended. */
  onTunnelClosed(totals: TunnelTotals, error: Error | undefined): void
}

export const downstreamTimeouts = {
  /** Until the first bytes tell the protocol. Nobody loses by waiting: an idle connection may have been opened ahead of use. */
  detectMs: 60_000,
  /** Inside CONNECT to outside the mesh, where a server that speaks first must not wait long. */
  detectInConnectMs: 500,
  handshakeMs: 10_000,
  headMs: 60_000,
  idleMs: 3_600_000,
  tunnelConnectMs: 10_000,
} as const

export class DownstreamConnection implements StreamOrigin {
  readonly listener: ListenerState
  transport: FilterChainConfig['match']['transport'] = 'plaintext'
  connectedTo: Authority | undefined
  readonly #deps: DownstreamDeps
  readonly #name: string
  readonly #onClosed: () => void
  #connection: Connection
  #http: Http1ServerConnection | undefined
  #drainGraceMs: number | undefined
  #closed = false

  constructor(deps: DownstreamDeps, listener: ListenerState, connection: Connection, onClosed: () => void) {
    this.#deps = deps
    this.listener = listener
    this.#name = listener.config.name
    this.#connection = connection
    this.#onClosed = onClosed
  }

  start(): void {
    this.#deps.connections.downstreamOpened(this.#name)
    const { clock } = this.#deps
    new Detector(this.#connection, {
      clock,
      timeoutMs: downstreamTimeouts.detectMs,
      onDetected: (protocol, head) => this.#choose(protocol, head),
      onClosed: () => this.#gone(),
    }).start(empty)
  }

  /** Ends with the next response; within `graceMs` when idle. */
  drain(graceMs: number): void {
    this.#drainGraceMs = graceMs
    this.#http?.drain(graceMs)
  }

  destroy(): void {
    this.#connection.destroy(new Error('the proxy is stopping'))
  }

  continueConnect(connection: Connection, head: Uint8Array, target: ConnectTarget): void {
    this.#connection = connection
    this.#http = undefined
    this.connectedTo = target.authority
    new Detector(connection, {
      clock: this.#deps.clock,
      timeoutMs: target.inMesh ? downstreamTimeouts.detectMs : downstreamTimeouts.detectInConnectMs,
      onDetected: (protocol, bytes) => {
        if (protocol === 'http1') this.#serve(connection, bytes)
        else if (target.inMesh) this.#refuse(`${protocol} inside CONNECT to a service of the mesh`)
        else void this.#tunnel(connection, bytes, target)
      },
      onClosed: () => this.#gone(),
    }).start(head)
  }

  #choose(protocol: Protocol, head: Uint8Array): void {
    if (head.length === 0) {
      // Opened and never used.
      this.#connection.destroy()
      return
    }
    this.transport = protocol === 'tls' ? 'tls' : 'plaintext'
    const chain = chainFor(this.listener, this.transport)
    if (chain === undefined) {
      this.#refuse(
        protocol === 'tls' ? 'TLS on a plaintext listener' : 'plaintext on a listener that demands mutual TLS',
      )
    } else if (chain.tls !== undefined) {
      void this.#secure(head, chain.tls)
    } else if (protocol === 'http2') {
      this.#refuse('HTTP/2 on a listener for HTTP/1.1')
    } else {
      // What is not even HTTP gets its answer from the codec.
      this.#serve(this.#connection, head)
    }
  }

  async #secure(head: Uint8Array, tls: DownstreamTls): Promise<void> {
    const credentials = this.#deps.credentials.value
    if (credentials === undefined) {
      this.#refuse('this proxy has no certificate yet')
      return
    }
    let secured: Connection
    try {
      const clientCertificate =
        tls.kind === 'terminate' ? 'none' : tls.requireClientCertificate ? 'required' : 'requested'
      const options = { credentials, clientCertificate, alpn: tls.alpn } as const
      secured = await this.#deps.io.secure(this.#connection, head, options, downstreamTimeouts.handshakeMs)
    } catch (error) {
      // The connection was given away for the handshake: nobody else will say that it is gone.
      this.#refuse(`TLS handshake failed: ${errorMessage(error)}`)
      this.#gone()
      return
    }
    this.#connection = secured
    this.#serve(secured, empty)
  }

  #serve(connection: Connection, head: Uint8Array): void {
    const { clock, connections } = this.#deps
    this.#http = new Http1ServerConnection(connection, {
      clock,
      idleTimeoutMs: downstreamTimeouts.idleMs,
      headTimeoutMs: downstreamTimeouts.headMs,
      onStream: (stream) => this.#deps.serve(stream, this),
      onRefused: (reason) => connections.downstreamRefused(this.#name, reason),
      onClosed: () => this.#gone(),
    })
    this.#http.start(head)
    if (this.#drainGraceMs !== undefined) this.#http?.drain(this.#drainGraceMs)
  }

  async #tunnel(caller: Connection, head: Uint8Array, target: ConnectTarget): Promise<void> {
    caller.pause()
    const { host, port } = target.authority
    try {
      const upstream = await this.#deps.io.connect({ host, port, timeoutMs: downstreamTimeouts.tunnelConnectMs })
      if (caller.closed) {
        upstream.destroy()
        throw new Error('the caller went away')
      }
      joinConnections(caller, head, upstream, (totals) => {
        target.onTunnelClosed(totals, undefined)
        this.#gone()
      })
      caller.resume()
    } catch (error) {
      target.onTunnelClosed({ sentBytes: 0, receivedBytes: 0 }, new Error(errorMessage(error)))
      caller.destroy()
    }
  }

  #refuse(reason: string): void {
    this.#deps.connections.downstreamRefused(this.#name, reason)
    this.#connection.destroy()
  }

  #gone(): void {
    if (this.#closed) return
    this.#closed = true
    this.#deps.connections.downstreamClosed(this.#name)
    this.#onClosed()
  }
}

const empty = new Uint8Array(0)

// One accepted connection on its way through detection and TLS to an HTTP codec or to the TCP proxy; CONNECT brings it here once more.
import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Watchable } from '../../core/watchable.ts'
import { createServerConnection, type ServedProtocol } from '../codec/create-server-connection.ts'
import type { ServerConnection, ServerStream } from '../codec/http-stream.ts'
import { type ConnectionFacts, Detector, unknownFacts } from '../detect/detector.ts'
import type { Authority } from '../filter/authority.ts'
import { peerFacts } from '../filter/peer-facts.ts'
import type { Connection, IoBackend, TlsCredentials } from '../io/connection.ts'
import type { DownstreamTls, FilterChainConfig, SecretConfig, TcpProxyConfig } from '../runtime/runtime-config.ts'
import { type Dialled, dialTcp } from '../tcp/dial.ts'
import type { FirstSpeakers } from '../tcp/first-speakers.ts'
import { emptyHead, type RelayHead } from '../tcp/relay.ts'
import { TcpProxy, type TcpProxyDeps } from '../tcp/tcp-proxy.ts'
import type { ConnectionSink } from '../telemetry/exchange.ts'
import type { PlaintextSink } from '../telemetry/plaintext-callers.ts'
import type { ConnectTarget } from './connect-target.ts'
import { ConnectTunnel } from './connect-tunnel.ts'
import { downstreamTimeouts } from './downstream-timeouts.ts'
import { GreetedDetection } from './greeted-detection.ts'
import type { ListenerState } from './listener-state.ts'
import { serverCredentials } from './server-credentials.ts'

export interface DownstreamDeps {
  readonly io: IoBackend
  readonly clock: Clock
  readonly credentials: Watchable<TlsCredentials | undefined>
  readonly connections: ConnectionSink
  readonly plaintextCallers: PlaintextSink
  readonly tcp: TcpProxyDeps
  readonly firstSpeakers: FirstSpeakers
  /** Of the running configuration. */
  secret(name: string): SecretConfig | undefined
  /** By "host:port" of a service: its chains, unless it carries HTTP alone. */
  serviceChains(name: string): ListenerState | undefined
  serve(stream: ServerStream, origin: StreamOrigin): void
  /** Asks again whether a request may go on. */
  reauthorize(stream: ServerStream): void
}

/** Where a request came in. */
export interface StreamOrigin {
  readonly listener: ListenerState
  /**
   * The chain that serves the connection now: the newest configuration is asked again with what is known of the connection. Undefined: no
   * chain is for it any more, as when a listener has come to demand TLS.
   */
  chain(): FilterChainConfig | undefined
  /** Set inside CONNECT: what the caller asked to be connected to. */
  readonly connectedTo: Authority | undefined
  /** What a CONNECT to that service ("host:port") is sure to go through: nothing of it is looked into. */
  opaqueChain(service: string): TcpProxyConfig | undefined
  /** What follows an accepted CONNECT. */
  continueConnect(connection: Connection, head: Uint8Array, target: ConnectTarget): void
}

export class DownstreamConnection implements StreamOrigin {
  readonly listener: ListenerState
  readonly connectedTo = undefined
  readonly #deps: DownstreamDeps
  readonly #name: string
  readonly #onClosed: () => void
  #connection: Connection
  /** One, and those inside CONNECT requests of an HTTP/2 connection. */
  readonly #served = new Set<ServerConnection>()
  /** Inside CONNECT to services that carry anything. */
  #inner: Set<DownstreamConnection> | undefined
  /** What CONNECT requests were followed by, and how each is ended. */
  #tunnels: Map<Connection, ConnectTarget> | undefined
  /** The opaque bytes that it carries. */
  #carried: TcpProxy | undefined
  #drainGraceMs: number | undefined
  #closed = false
  /** Somebody serves it, or secures it. */
  #settled = false
  /** What is known of it so far. */
  #facts = unknownFacts
  /** How it was secured. */
  #tls: DownstreamTls['kind'] | undefined
  /** Its address, when it was told as one that is not secured. */
  #plaintextCaller: string | undefined
  #chain: FilterChainConfig | undefined
  #chainOf: ListenerState['config'] | undefined
  /** By whose policies all that is open has been let in. */
  #authorizedBy: ListenerState['config']

  constructor(deps: DownstreamDeps, listener: ListenerState, connection: Connection, onClosed: () => void) {
    this.#deps = deps
    this.listener = listener
    this.#name = listener.config.name
    this.#authorizedBy = listener.config
    this.#connection = connection
    this.#onClosed = onClosed
  }

  /** `head`: what somebody before has already read. */
  start(head: Uint8Array = emptyHead.bytes): void {
    this.#deps.connections.downstreamOpened(this.#name)
    const { inspect, config, greeting } = this.listener
    if (!inspect.tls && !inspect.http) {
      this.#choose(unknownFacts, { bytes: head, ended: false })
      return
    }
    const options = {
      clock: this.#deps.clock,
      inspect,
      timeoutMs: Math.min(config.detectTimeoutMs, downstreamTimeouts.detectMs),
      onClosed: () => this.#gone(),
    }
    if (greeting === undefined || !this.#mayCarry(greeting)) {
      new Detector(this.#connection, {
        ...options,
        onDetected: (facts, bytes, ended) => this.#choose(facts, { bytes, ended }),
      }).start(head)
    } else {
      this.#detectGreeted(greeting, options, head)
    }
  }

  /** Nothing is dialled for a caller who may not come. */
  #mayCarry(config: TcpProxyConfig): boolean {
    const facts = peerFacts(this.#connection, this.#connection.remoteAddress)
    return this.#deps.tcp.authorizerOf(config)?.authorizeConnection(facts).allowed ?? true
  }

  /** Ends with the next response; within `graceMs` when idle. Opaque bytes go on. */
  drain(graceMs: number): void {
    this.#drainGraceMs = graceMs
    for (const http of this.#served) http.drain(graceMs)
    for (const inner of this.#inner ?? []) inner.drain(graceMs)
    if (this.#settled || this.#closed) return
    // Opened and not used: as an idle one.
    const { clock } = this.#deps
    clock.setTimer(graceMs, () => {
      if (!this.#settled) this.#connection.destroy()
    })
  }

  destroy(): void {
    this.#connection.destroy(new Error('the proxy is stopping'))
  }

  /** Ends what policies that came since do not allow, where they demand it. */
  reauthorize(): void {
    for (const inner of this.#inner ?? []) inner.reauthorize()
    const { config } = this.listener
    if (config === this.#authorizedBy) return
    this.#authorizedBy = config
    const filter = this.#settled ? this.chain()?.filter : undefined
    if (filter?.reauthorize !== true) return
    this.#carried?.reauthorize(filter)
    for (const http of this.#served) for (const stream of http.openStreams()) this.#deps.reauthorize(stream)
    for (const [connection, target] of this.#tunnels ?? []) {
      const refused = target.reauthorize()
      if (refused !== undefined) connection.destroy(refused)
    }
  }

  chain(): FilterChainConfig | undefined {
    const { config } = this.listener
    if (config !== this.#chainOf) {
      const chain = this.listener.chainFor(this.#facts)
      this.#chain = chain?.tls?.kind === this.#tls ? chain : this.#unsecuredChain()
      this.#chainOf = config
    }
    return this.#chain
  }

  /** Where mutual TLS is no longer taken, what came by it stays until its caller knows: that it is secured harms nobody. */
  #unsecuredChain(): FilterChainConfig | undefined {
    if (this.#tls !== 'mesh') return undefined
    const applicationProtocols = this.#facts.applicationProtocols.map((name) => (name === 'h2' ? 'h2c' : name))
    const chain = this.listener.chainFor({ ...unknownFacts, applicationProtocols })
    return chain?.tls === undefined ? chain : undefined
  }

  opaqueChain(service: string): TcpProxyConfig | undefined {
    const chains = this.#deps.serviceChains(service)
    if (chains === undefined || chains.inspect.tls || chains.inspect.http) return undefined
    const filter = chains.config.filterChains[0]?.filter
    return filter?.kind === 'tcp' ? filter : undefined
  }

  continueConnect(connection: Connection, head: Uint8Array, target: ConnectTarget): void {
    // A stream of an HTTP/2 connection stands beside the others, and beside the connection itself.
    const isStream = connection !== this.#connection
    if (!isStream) this.#served.clear()
    this.#tunnels ??= new Map()
    this.#tunnels.set(connection, target)
    const onClosed = (): void => {
      this.#tunnels?.delete(connection)
      if (!isStream) this.#gone()
    }
    const chains = target.service === undefined ? undefined : this.#deps.serviceChains(target.service)
    if (chains !== undefined) {
      this.#serveInner(chains, connection, head, onClosed)
      return
    }
    const origin: StreamOrigin = {
      listener: this.listener,
      chain: () => this.chain(),
      connectedTo: target.authority,
      opaqueChain: (service) => this.opaqueChain(service),
      continueConnect: (inner, bytes, next) => this.continueConnect(inner, bytes, next),
    }
    const { io, clock, firstSpeakers } = this.#deps
    new ConnectTunnel({
      io,
      clock,
      firstSpeakers,
      connection,
      target,
      onHttp: (protocol, bytes) => this.#serveAs(origin, protocol, connection, bytes, onClosed),
      onRefused: (reason) => {
        this.#deps.connections.downstreamRefused(this.#name, reason)
        connection.destroy()
        onClosed()
      },
      onClosed,
    }).start(head)
  }

  #serveInner(chains: ListenerState, connection: Connection, head: Uint8Array, onClosed: () => void): void {
    const inner: DownstreamConnection = new DownstreamConnection(this.#deps, chains, connection, () => {
      this.#inner?.delete(inner)
      onClosed()
    })
    this.#inner ??= new Set()
    this.#inner.add(inner)
    inner.start(head)
    if (this.#drainGraceMs !== undefined) inner.drain(this.#drainGraceMs)
  }

  #detectGreeted(
    config: TcpProxyConfig,
    options: Pick<ConstructorParameters<typeof Detector>[1], 'clock' | 'inspect' | 'timeoutMs' | 'onClosed'>,
    read: Uint8Array,
  ): void {
    const { tcp, firstSpeakers } = this.#deps
    new GreetedDetection<Dialled>(this.#connection, {
      ...options,
      destination: this.#name,
      besideTls: this.listener.besideTls,
      firstSpeakers,
      dial: () => dialTcp(tcp, config),
      isOpaque: (facts) => {
        const chain = this.listener.chainFor(facts)
        return chain?.filter === config && chain.tls === undefined
      },
      onDetected: (facts, head) => this.#choose(facts, head),
      onOpaque: (head, early) => this.#proxy(this.#connection, config).start(head, early),
      onGreeted: (head, dialled, bytes) => {
        // the server took its time to speak: what holds now decides
        const now = this.listener.chainFor(unknownFacts)
        if (now?.tls === undefined && now?.filter.kind === 'tcp') {
          this.#proxy(this.#connection, now.filter).startSpoken(head, dialled, bytes)
          return
        }
        dialled.connection?.destroy()
        dialled.release()
        this.#refuse('a listener that no longer serves it')
      },
    }).start(read)
  }

  #choose(facts: ConnectionFacts, head: RelayHead): void {
    this.#facts = facts
    const chain = this.listener.chainFor(facts)
    const silent = head.bytes.length === 0
    const { inspect } = this.listener
    if ((silent || head.ended) && (inspect.tls || inspect.http) && chain?.filter.kind !== 'tcp') {
      // Opened and never used, or ended before it said anything that could be answered.
      this.#connection.destroy()
    } else if (chain === undefined) {
      this.#refuse(refusalOf(facts, this.listener.config.filterChains))
    } else if (chain.tls !== undefined) {
      void this.#secure(head.bytes, chain, chain.tls)
    } else if (chain.filter.kind === 'tcp') {
      this.#proxy(this.#connection, chain.filter).start(head, undefined)
    } else {
      this.#servePlaintext(facts, head.bytes)
    }
  }

  #servePlaintext({ applicationProtocols: [protocol] }: ConnectionFacts, head: Uint8Array): void {
    this.#tellPlaintext()
    if (protocol !== undefined || this.listener.inspect.http) {
      // What is not even HTTP gets its answer from the codec.
      this.#serve(protocol === 'h2c' ? 'h2' : 'http/1.1', this.#connection, head)
      return
    }
    new Detector(this.#connection, {
      clock: this.#deps.clock,
      inspect: { tls: false, http: true, hello: false },
      timeoutMs: downstreamTimeouts.detectMs,
      onDetected: (facts, bytes, ended) => {
        if (bytes.length === 0 || ended) this.#connection.destroy()
        else this.#serve(facts.applicationProtocols[0] === 'h2c' ? 'h2' : 'http/1.1', this.#connection, bytes)
      },
      onClosed: () => this.#gone(),
    }).start(head)
  }

  async #secure(head: Uint8Array, chain: FilterChainConfig, tls: DownstreamTls): Promise<void> {
    this.#settled = true
    const { io, credentials: own } = this.#deps
    const { serverName } = this.#facts
    const credentials = serverCredentials(tls, serverName, own.value, (name) => this.#deps.secret(name))
    if (credentials instanceof Error) {
      this.#refuse(credentials.message)
      return
    }
    let secured: Connection
    try {
      const clientCertificate =
        tls.kind === 'terminate' ? 'none' : tls.requireClientCertificate ? 'required' : 'requested'
      const options = { credentials, clientCertificate, alpn: tls.alpn } as const
      secured = await io.secure(this.#connection, head, options, downstreamTimeouts.handshakeMs)
    } catch (error) {
      this.#refuse(`TLS handshake failed: ${errorMessage(error)}`)
      return
    }
    this.#connection = secured
    this.#tls = tls.kind
    if (this.#facts.transport !== 'tls') {
      // Nobody looked before.
      const { sni, alpn } = secured.tls ?? {}
      this.#facts = {
        transport: 'tls',
        serverName: sni?.toLowerCase(),
        applicationProtocols: alpn === undefined ? [] : [alpn],
      }
    }
    // the handshake took as long as the caller liked: what holds now decides
    const now = this.chain()
    if (now === undefined) {
      this.#refuse('a listener that no longer serves it')
      return
    }
    const { filter } = now
    const alpn = secured.tls?.alpn
    if (filter.kind === 'tcp') this.#proxy(secured, filter).start(emptyHead, undefined)
    else if (alpn === undefined || alpn === 'http/1.1' || alpn === 'h2') {
      this.#serve(alpn ?? 'http/1.1', secured, emptyHead.bytes)
    } else {
      this.#refuse(`a protocol that is not HTTP on a listener for HTTP: ${alpn}`)
    }
  }

  #proxy(caller: Connection, config: TcpProxyConfig): TcpProxy {
    this.#settled = true
    if (this.#tls === undefined) this.#tellPlaintext()
    this.#carried = new TcpProxy(this.#deps.tcp, {
      caller,
      listener: this.listener.config,
      config,
      serverName: this.#facts.serverName,
      onClosed: () => this.#gone(),
    })
    return this.#carried
  }

  #serve(protocol: ServedProtocol, connection: Connection, head: Uint8Array): void {
    this.#serveAs(this, protocol, connection, head, () => this.#gone())
  }

  #serveAs(
    origin: StreamOrigin,
    protocol: ServedProtocol,
    connection: Connection,
    head: Uint8Array,
    onClosed: () => void,
  ): void {
    this.#settled = true
    const { clock, connections } = this.#deps
    const http = createServerConnection(protocol, connection, {
      clock,
      idleTimeoutMs: downstreamTimeouts.idleMs,
      headTimeoutMs: downstreamTimeouts.headMs,
      onStream: (stream) => this.#deps.serve(stream, origin),
      onRefused: (reason) => connections.downstreamRefused(this.#name, reason),
      onClosed: () => {
        this.#served.delete(http)
        onClosed()
      },
    })
    this.#served.add(http)
    http.start(head)
    if (this.#drainGraceMs !== undefined) http.drain(this.#drainGraceMs)
  }

  #refuse(reason: string): void {
    this.#deps.connections.downstreamRefused(this.#name, reason)
    this.#connection.destroy()
    // It may have no handler yet, or have been given away for a handshake: nobody else would say that it is gone.
    this.#gone()
  }

  #tellPlaintext(): void {
    this.#plaintextCaller = this.#connection.remoteAddress
    this.#deps.plaintextCallers.plaintextOpened(this.#name, this.#plaintextCaller)
  }

  #gone(): void {
    if (this.#closed) return
    this.#closed = true
    const caller = this.#plaintextCaller
    if (caller !== undefined) this.#deps.plaintextCallers.plaintextClosed(this.#name, caller)
    this.#deps.connections.downstreamClosed(this.#name)
    this.#onClosed()
  }
}

function refusalOf({ transport }: ConnectionFacts, chains: readonly FilterChainConfig[]): string {
  const secured = chains.filter(({ match }) => match.transport === 'tls')
  if (transport === 'tls') {
    return secured.length === 0 ? 'TLS on a plaintext listener' : 'TLS for a name or protocol that is not served here'
  }
  if (secured.length < chains.length) return 'a protocol that is not served here'
  const mesh = secured.some(({ tls }) => tls?.kind === 'mesh')
  return mesh ? 'plaintext on a listener that demands mutual TLS' : 'plaintext on a listener that demands TLS'
}

// One connection of opaque bytes: dialled, relayed, counted, and told to the sink as an exchange when it is over.
import type { PeerFacts } from '../../contracts/http-filter.ts'
import { serviceHost } from '../../contracts/xds/names.ts'
import { HeaderList } from '../../core/header-list.ts'
import type { Authorizer } from '../../policies/authorization/authorization.runtime.ts'
import { idleTimeoutMs } from '../../policies/timeouts/timeouts.runtime.ts'
import type { ConnectionFacts } from '../detect/detector.ts'
import type { HttpFilters } from '../filter/http-filters.ts'
import { peerFacts } from '../filter/peer-facts.ts'
import type { Connection } from '../io/connection.ts'
import type { FilterChainConfig, ListenerConfig, TcpProxyConfig } from '../runtime/runtime-config.ts'
import { beginExchange } from '../telemetry/begin-exchange.ts'
import type { ConnectionSink, Exchange, ExchangeSink } from '../telemetry/exchange.ts'
import { dialTcp, type DialDeps, type Dialled } from './dial.ts'
import { HeldCaller } from './held-caller.ts'
import { Relay, type RelayEnd, type RelayHead } from './relay.ts'

export interface TcpProxyDeps extends DialDeps {
  readonly sink: ExchangeSink
  /** Of the running configuration. */
  readonly revision: () => string
  /** Undefined: every connection is carried. */
  readonly authorizerOf: (config: TcpProxyConfig) => Authorizer | undefined
  /** Of what is open, by newer policies. */
  readonly refusalOf: HttpFilters['refusalOf']
}

export interface TcpProxyOptions {
  readonly caller: Connection
  readonly listener: ListenerConfig
  readonly config: TcpProxyConfig
  /** SNI. */
  readonly serverName: ConnectionFacts['serverName']
  onClosed(): void
}

/** As Envoy's: what keeps a connection open longer says so by sending something. */
export const tcpIdleTimeoutMs = 3_600_000

const nothing = new Uint8Array(0)

type TcpCounter = Pick<ConnectionSink, 'tcpOpened' | 'tcpClosed' | 'tcpFailed' | 'tcpBytes'>

/** Where metrics are muted. */
const uncounted: TcpCounter = { tcpOpened() {}, tcpClosed() {}, tcpFailed() {}, tcpBytes() {} }

export class TcpProxy {
  readonly #deps: TcpProxyDeps
  readonly #options: TcpProxyOptions
  readonly #exchange: Exchange
  #cluster = ''
  #relay: Relay | undefined
  #over = false

  constructor(deps: TcpProxyDeps, options: TcpProxyOptions) {
    this.#deps = deps
    this.#options = options
    this.#exchange = this.#beginExchange()
  }

  /** `head` is what was read of the caller. `early` is a dial that has begun; without one it begins now. */
  start(head: RelayHead, early: Dialled | Promise<Dialled> | undefined): void {
    if (!this.#authorized()) {
      void this.#giveUp(early)
      return
    }
    const dialled = early ?? dialTcp(this.#deps, this.#options.config)
    if (dialled instanceof Promise) void this.#await(dialled, head)
    else this.#join(dialled, head, nothing)
  }

  /** The server has spoken first: `bytes` are lent. */
  startSpoken(head: RelayHead, dialled: Dialled, bytes: Uint8Array): void {
    if (this.#authorized()) this.#join(dialled, head, bytes)
    else void this.#giveUp(dialled)
  }

  /** Ends the connection where policies do not allow it. */
  #authorized(): boolean {
    const { caller, config, listener } = this.#options
    const authorizer = this.#deps.authorizerOf(config)
    if (authorizer === undefined) return true
    const verdict = authorizer.authorizeConnection(this.#facts())
    this.#exchange.authorization = verdict
    if (verdict.allowed) return true
    if (listener.direction === 'outbound') this.#refuseEgress()
    this.#exchange.flags.push('UAEX')
    this.#exchange.detail = verdict.reason
    this.#deps.connections.downstreamRefused(listener.name, 'refused by an authorization policy')
    caller.destroy(new Error('refused by an authorization policy'))
    this.#finish()
    return false
  }

  #facts(): PeerFacts {
    const { caller, serverName } = this.#options
    const facts = peerFacts(caller, caller.remoteAddress)
    return { ...facts, sni: facts.sni ?? serverName }
  }

  /** Where it would have gone is known while nothing has to be drawn. */
  #refuseEgress(): void {
    const [only, ...others] = this.#options.config.backends
    const cluster = only === undefined || others.length > 0 ? undefined : this.#deps.clusters.get(only.cluster)
    this.#exchange.cluster = cluster?.config.name
    this.#exchange.destinationService = cluster?.serviceHost
    this.#exchange.egressRefused = 'policy'
  }

  /** Ends it where the policies of `filter`, which came since, do not allow it. */
  reauthorize(filter: FilterChainConfig['filter']): void {
    if (this.#over) return
    const { caller } = this.#options
    const verdict = this.#deps.refusalOf(filter, (authorizer) => authorizer.authorizeConnection(this.#facts()))
    if (verdict === undefined) return
    const detail = `no longer allowed: ${verdict.reason}`
    this.#exchange.authorization = verdict
    this.#exchange.flags.push('UAEX')
    this.#exchange.detail = detail
    if (this.#relay !== undefined) {
      this.#relay.end(new Error(detail))
      return
    }
    this.#finish()
    caller.destroy(new Error(detail))
  }

  async #giveUp(early: Dialled | Promise<Dialled> | undefined): Promise<void> {
    const dialled = await early
    dialled?.connection?.destroy()
    dialled?.release()
  }

  async #await(pending: Promise<Dialled>, head: RelayHead): Promise<void> {
    const held = new HeldCaller(this.#options.caller, head, (error) => this.#callerGone(error))
    const dialled = await pending
    if (!this.#over) {
      this.#join(dialled, held.head, nothing)
    } else if (dialled.connection !== undefined) {
      dialled.connection.destroy()
      dialled.release()
    }
  }

  #callerGone(error: Error | undefined): void {
    if (this.#over) return
    this.#exchange.flags.push('DC')
    this.#exchange.detail = error?.message
    this.#finish()
  }

  #join(dialled: Dialled, head: RelayHead, upstreamBytes: Uint8Array): void {
    this.#took(dialled)
    const { connection } = dialled
    const { caller } = this.#options
    const { clock } = this.#deps
    const connections: TcpCounter = this.#options.config.muted?.metrics === true ? uncounted : this.#deps.connections
    const listener = this.#options.listener.name
    if (connection === undefined) {
      connections.tcpFailed(listener, this.#cluster)
      if (dialled.flag !== undefined) this.#exchange.flags.push(dialled.flag)
      this.#exchange.detail = dialled.detail
      caller.destroy(new Error(dialled.detail ?? 'no upstream'))
      this.#finish()
      return
    }
    connections.tcpOpened(listener, this.#cluster)
    this.#relay = new Relay(caller, connection, {
      clock,
      idleTimeoutMs: idleTimeoutMs(dialled.cluster?.config.routeDefaults?.timeouts ?? {}, tcpIdleTimeoutMs),
      onBytes: (sent, received) => connections.tcpBytes(listener, this.#cluster, sent, received),
      onClosed: (end) => {
        dialled.release()
        connections.tcpClosed(listener, this.#cluster)
        this.#ended(end)
      },
    })
    this.#relay.start(head, upstreamBytes)
  }

  #took({ split, cluster, endpoint, attempts, connection }: Dialled): void {
    const exchange = this.#exchange
    exchange.split = split
    exchange.attempts = attempts
    if (cluster !== undefined) {
      const { name, service } = cluster.config
      this.#cluster = exchange.cluster = name
      if (service !== undefined) exchange.destinationService = serviceHost(service.name, service.namespace)
    }
    exchange.destinationAddress = endpoint?.address
    exchange.destinationWorkload = endpoint?.workload
    exchange.destinationPrincipal = connection?.tls?.peerSpiffeId
  }

  #ended({ sentBytes, receivedBytes, cause, error }: RelayEnd): void {
    const exchange = this.#exchange
    exchange.requestBytes = sentBytes
    exchange.responseBytes = receivedBytes
    exchange.detail ??= error?.message
    if (cause === 'caller-failed') exchange.flags.push('DC')
    else if (cause === 'upstream-failed') exchange.flags.push('UC')
    else if (cause === 'idle') exchange.flags.push('SI')
    this.#finish()
  }

  #finish(): void {
    if (this.#over) return
    this.#over = true
    const exchange = this.#exchange
    exchange.durationMs = this.#deps.clock.monotonicMs() - exchange.startMonotonicMs
    this.#deps.sink.finished(exchange)
    this.#options.onClosed()
  }

  #beginExchange(): Exchange {
    const { caller, listener, config, serverName } = this.#options
    const { clock, revision } = this.#deps
    const request = { method: '', scheme: 'http', authority: serverName ?? '', path: '', headers: noHeaders } as const
    const exchange = beginExchange(clock, revision(), listener, caller, request, 'TCP')
    exchange.muted = config.muted
    exchange.route = { name: config.route, ...(config.source !== undefined && { source: config.source }) }
    return exchange
  }
}

const noHeaders = new HeaderList()

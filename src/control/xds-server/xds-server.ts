// The end of the configuration line: serves ResourceViews to data planes over ADS, delta and state of the world (Envoy xDS v3).
import { X509Certificate } from 'node:crypto'

import { status as grpcStatus, Metadata } from '@grpc/grpc-js'
import type { ChannelOptions, ServerDuplexStream, ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js'

import type { ProxyStatus } from '../../contracts/control-api.ts'
import { spiffeIdOf } from '../../contracts/identity/certificate-spiffe-id.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import type { Watchable } from '../../core/watchable.ts'
import type { ResourceView, XdsNode } from '../translate/resource-view.ts'
import { decodeDeltaRequest, decodeStateRequest } from './discovery-request.ts'
import type { DeltaRequest, NodeInfo, StateRequest, XdsProtocol } from './discovery-request.ts'
import { DiscoveryStream } from './discovery-stream.ts'
import type { Identify, XdsPeer } from './node-identity.ts'
import { NodeStatusList, proxyStatus } from './node-status.ts'
import type { NodeStatus } from './node-status.ts'

export interface XdsServerOptions {
  readonly view: Watchable<ResourceView>
  readonly clock: Clock
  readonly logger: Logger
  /** How long after a change of the view it is sent: changes that follow within it go out together. 10 unless told. */
  readonly debounceMs?: number
}

export interface XdsServer {
  /** For `grpc.Server.addService`. Each port has its own way to tell who its clients are; all show up in `nodes`. */
  service(identify: Identify): AdsService
  readonly nodes: Watchable<readonly NodeStatus[]>
  /** Connected data planes, and those that have gone and not come back. */
  proxies(): readonly ProxyStatus[]
  /** Something is revoked: streams of those who would not be let in now end. */
  identifyAgain(): void
  /** Ends all streams; clients are told to come back. */
  stop(): void
}

export interface AdsService {
  readonly definition: ServiceDefinition
  readonly implementation: UntypedServiceImplementation
}

/** Options for every grpc.Server that serves ADS: dead clients are noticed, and live ones may send keepalive pings. */
export const xdsServerChannelOptions: ChannelOptions = {
  'grpc.enable_http_proxy': 0,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.max_send_message_length': -1,
}

/** Data planes that come and go under ever new ids are not remembered forever. */
const maxGone = 1_000

type Call = ServerDuplexStream<Uint8Array, Uint8Array>

const decoders: Readonly<Record<XdsProtocol, (bytes: Uint8Array) => DeltaRequest | StateRequest>> = {
  delta: decodeDeltaRequest,
  'state-of-the-world': decodeStateRequest,
}

export function createXdsServer(options: XdsServerOptions): XdsServer {
  return new AdsServer(options)
}

class AdsServer implements XdsServer {
  readonly nodes: NodeStatusList
  readonly #options: XdsServerOptions
  readonly #connections = new Set<AdsConnection>()
  /** By node id, the last to go last. */
  readonly #gone = new Map<string, ProxyStatus>()
  readonly #unsubscribe: () => void
  #debounce: Timer | undefined

  constructor(options: XdsServerOptions) {
    this.#options = options
    this.nodes = new NodeStatusList(options.clock, () => [...this.#connections].flatMap((one) => one.status()))
    this.#unsubscribe = options.view.subscribe(() => {
      this.#debounce ??= options.clock.setTimer(options.debounceMs ?? 10, () => {
        this.#debounce = undefined
        for (const connection of this.#connections) connection.advance()
      })
    })
  }

  service(identify: Identify): AdsService {
    return {
      definition: {
        StreamAggregatedResources: method('StreamAggregatedResources'),
        DeltaAggregatedResources: method('DeltaAggregatedResources'),
      },
      implementation: {
        StreamAggregatedResources: (call: Call) => this.#accept(call, 'state-of-the-world', identify),
        DeltaAggregatedResources: (call: Call) => this.#accept(call, 'delta', identify),
      },
    }
  }

  proxies(): readonly ProxyStatus[] {
    const byId = new Map(this.#gone)
    for (const status of this.nodes.value) byId.set(status.node.id, proxyStatus(status))
    return [...byId.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1))
  }

  identifyAgain(): void {
    for (const connection of this.#connections) connection.identifyAgain()
  }

  stop(): void {
    this.#unsubscribe()
    this.#debounce?.cancel()
    for (const connection of this.#connections) connection.fail(grpcStatus.UNAVAILABLE, 'the control plane is stopping')
  }

  #accept(call: Call, protocol: XdsProtocol, identify: Identify): void {
    const connection = new AdsConnection(call, protocol, identify, this.#options, () => this.nodes.changed())
    this.#connections.add(connection)
    connection.onClosed = () => {
      this.#connections.delete(connection)
      for (const status of connection.status()) this.#remember(proxyStatus(status, this.#options.clock.nowMs()))
      this.nodes.changed()
    }
  }

  #remember(gone: ProxyStatus): void {
    this.#gone.delete(gone.id)
    this.#gone.set(gone.id, gone)
    const [oldest] = this.#gone.keys()
    if (this.#gone.size > maxGone && oldest !== undefined) this.#gone.delete(oldest)
  }
}

/** One gRPC call: bytes and status codes on one side, a DiscoveryStream on the other. */
class AdsConnection {
  readonly #call: Call
  readonly #protocol: XdsProtocol
  readonly #identify: Identify
  readonly #options: XdsServerOptions
  readonly #changed: () => void
  readonly #connectedSinceMs: number
  onClosed: () => void = () => {}
  #stream: DiscoveryStream | undefined
  /** Who opened the stream, as it showed itself. */
  #opener: { readonly peer: XdsPeer; readonly info: NodeInfo } | undefined
  #node: XdsNode | undefined
  #closed = false
  #end: Timer | undefined

  constructor(call: Call, protocol: XdsProtocol, identify: Identify, options: XdsServerOptions, changed: () => void) {
    this.#call = call
    this.#protocol = protocol
    this.#identify = identify
    this.#options = options
    this.#changed = changed
    this.#connectedSinceMs = options.clock.nowMs()
    call.on('data', (bytes: Uint8Array) => this.#guard(() => this.#receive(bytes)))
    call.on('end', () => this.#close(() => call.end()))
    call.on('error', () => this.#close())
    call.on('cancelled', () => this.#close())
  }

  advance(): void {
    this.#guard(() => this.#stream?.advance())
  }

  identifyAgain(): void {
    if (this.#opener !== undefined) this.#identified(this.#opener.peer, this.#opener.info)
  }

  fail(code: number, details: string): void {
    this.#close(() => this.#call.emit('error', Object.assign(new Error(details), { code, details })))
  }

  status(): NodeStatus[] {
    if (this.#stream === undefined || this.#node === undefined) return []
    return [
      {
        node: this.#node,
        protocol: this.#protocol,
        address: this.#call.getPeer(),
        connectedSinceMs: this.#connectedSinceMs,
        inStep: this.#stream.inStep,
        types: this.#stream.status(),
      },
    ]
  }

  #receive(bytes: Uint8Array): void {
    let request: DeltaRequest | StateRequest
    try {
      request = decoders[this.#protocol](bytes)
    } catch (error) {
      this.fail(grpcStatus.INVALID_ARGUMENT, `not a discovery request: ${errorMessage(error)}`)
      return
    }
    this.#stream ??= this.#open(request.node)
    const refused = this.#stream?.request(request)
    if (refused !== undefined) this.fail(grpcStatus.INVALID_ARGUMENT, refused)
    this.#changed()
  }

  #open(info: NodeInfo | undefined): DiscoveryStream | undefined {
    if (info === undefined) {
      this.fail(grpcStatus.INVALID_ARGUMENT, 'the first request of a stream must say which node it is from')
      return undefined
    }
    const peer = peerOf(this.#call)
    const node = this.#identified(peer, info)
    if (node === undefined) return undefined
    this.#opener = { peer, info }
    this.#node = node
    // the client is connected from here on, whether or not there is something to send
    this.#call.sendMetadata(new Metadata())
    const { view, clock, logger } = this.#options
    if (node.spiffeId !== undefined && peer.notAfterMs !== undefined) {
      // a stream must not be given new certificates for longer than the one that it showed was good for
      const ended = 'the certificate that was shown has ended: connect with a newer one'
      this.#end = clock.setTimer(peer.notAfterMs - clock.nowMs(), () => this.fail(grpcStatus.UNAUTHENTICATED, ended))
    }
    return new DiscoveryStream({
      protocol: this.#protocol,
      node,
      view: () => view.value,
      send: (bytes) => this.#call.write(bytes),
      clock,
      logger,
    })
  }

  /** Undefined: it was refused. */
  #identified(peer: XdsPeer, info: NodeInfo): XdsNode | undefined {
    const node = this.#identify(peer, info)
    if (!(node instanceof Error)) return node
    this.#options.logger.warn('data plane refused', { node: info.id, reason: node.message })
    this.fail(grpcStatus.PERMISSION_DENIED, node.message)
    return undefined
  }

  /** A fault in serving one client must not reach the others. */
  #guard(fn: () => void): void {
    if (this.#closed) return
    try {
      fn()
    } catch (error) {
      this.#options.logger.error('serving a data plane failed', { node: this.#node?.id, error: errorMessage(error) })
      this.fail(grpcStatus.INTERNAL, 'internal error of the control plane')
    }
  }

  #close(farewell?: () => void): void {
    if (this.#closed) return
    this.#closed = true
    this.#end?.cancel()
    farewell?.()
    this.onClosed()
  }
}

function peerOf(call: Call): XdsPeer {
  const headers = Object.entries(call.metadata.getMap()).map(([name, value]) => [name, value.toString()] as const)
  // empty unless the peer's certificate was verified
  const { sslPeerCertificate: certificate } = call.getAuthContext()
  return {
    address: call.getPeer(),
    headers: new Map(headers),
    ...(certificate === undefined ? { spiffeId: undefined } : shownBy(new X509Certificate(certificate.raw))),
  }
}

function shownBy(certificate: X509Certificate): Pick<XdsPeer, 'spiffeId' | 'notBeforeMs' | 'notAfterMs'> {
  return {
    spiffeId: spiffeIdOf(certificate),
    notBeforeMs: certificate.validFromDate.getTime(),
    notAfterMs: certificate.validToDate.getTime(),
  }
}

function asBuffer(message: Uint8Array): Buffer {
  return Buffer.from(message.buffer, message.byteOffset, message.byteLength)
}

function method(name: string): ServiceDefinition[string] {
  return {
    path: `/envoy.service.discovery.v3.AggregatedDiscoveryService/${name}`,
    requestStream: true,
    responseStream: true,
    requestSerialize: asBuffer,
    requestDeserialize: asBuffer,
    responseSerialize: asBuffer,
    responseDeserialize: asBuffer,
  }
}

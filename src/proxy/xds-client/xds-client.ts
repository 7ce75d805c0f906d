// How configuration arrives: one delta ADS stream per proxy, kept up for as long as the proxy lives. What was received stays in force while
// the control plane is away.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { JsonObject } from '@bufbuild/protobuf'
import type { ChannelOptions, Client, ClientDuplexStream } from '@grpc/grpc-js'

import type { Locality } from '../../contracts/locality.ts'
import { NodeSchema } from '../../contracts/xds/gen/envoy/config/core/v3/base_pb.ts'
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
} from '../../contracts/xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import type { DeltaDiscoveryRequest } from '../../contracts/xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import { typeUrls } from '../../contracts/xds/names.ts'
import type { TypeUrl } from '../../contracts/xds/names.ts'
import { backoffMs } from '../../core/backoff.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import type { Random } from '../../core/random.ts'
import { WatchableValue } from '../../core/watchable.ts'
import type { Watchable } from '../../core/watchable.ts'
import { ResourceState } from './resource-state.ts'
import type { RejectedResource, ResourceUpdate } from './resource-update.ts'

export interface XdsClientOptions {
  readonly node: { readonly id: string; readonly locality?: Locality; readonly metadata: JsonObject }
  /** A new channel for each attempt, so that each uses the newest credentials. May throw: the attempt has then failed. */
  readonly open: () => Client
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Takes what changed; returns what it could not take, which then stays as it was. */
  readonly onUpdate: (update: ResourceUpdate) => readonly RejectedResource[]
}

export interface XdsClient {
  /** True while the control plane answers. */
  readonly connected: Watchable<boolean>
  start(): void
  /** Sets the names wanted of a type other than listeners, which are all wanted always. Those no longer named are forgotten. */
  subscribe(typeUrl: TypeUrl, names: Iterable<string>): void
  stop(): void
}

/** Options for the channels that `open` makes: no proxy, no back-off shared between attempts, a dead peer is noticed. */
export const xdsChannelOptions: ChannelOptions = {
  'grpc.enable_http_proxy': 0,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.max_receive_message_length': -1,
  'grpc.service_config_disable_resolution': 1,
}

const backoff = { baseMs: 100, maxMs: 5_000 }
/** From opening the channel to the first sign of the server. */
const connectTimeoutMs = 10_000

const method = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources'

/** Types in the order in which they are asked for: what is used before its users. */
const types = [
  typeUrls.secret,
  typeUrls.cluster,
  typeUrls.clusterLoadAssignment,
  typeUrls.listener,
  typeUrls.routeConfiguration,
]

export function createXdsClient(options: XdsClientOptions): XdsClient {
  return new AdsClient(options)
}

class AdsClient implements XdsClient {
  readonly connected = new WatchableValue(false)
  readonly #options: XdsClientOptions
  readonly #states: ReadonlyMap<string, ResourceState>
  #attempt = 0
  #stream: AdsStream | undefined
  #retry: Timer | undefined
  #stopped = false

  constructor(options: XdsClientOptions) {
    this.#options = options
    this.#states = new Map(types.map((typeUrl) => [typeUrl, new ResourceState(typeUrl, typeUrl === typeUrls.listener)]))
  }

  start(): void {
    this.#connect()
  }

  subscribe(typeUrl: TypeUrl, names: Iterable<string>): void {
    const state = this.#states.get(typeUrl)
    const request = state?.want(names)
    if (state !== undefined && request !== undefined) this.#stream?.send(state, request)
  }

  stop(): void {
    this.#stopped = true
    this.#retry?.cancel()
    this.#stream?.close('stopped')
  }

  #connect(): void {
    this.#stream = new AdsStream(this.#options, this.#states, {
      onAlive: () => {
        this.#options.logger.info('connected to the control plane')
        this.connected.set(true)
      },
      onResponse: () => {
        this.#attempt = 0
      },
      onClosed: (reason) => {
        this.#stream = undefined
        this.connected.set(false)
        if (!this.#stopped) this.#reconnect(reason)
      },
    })
    this.#stream.open()
  }

  #reconnect(reason: string): void {
    const { clock, random, logger } = this.#options
    const delayMs = backoffMs(backoff, this.#attempt, random)
    const message = 'no control plane: the last configuration stays in force'
    // what follows is the same again
    if (this.#attempt === 0) logger.warn(message, { reason })
    else logger.debug(message, { reason, delayMs })
    this.#attempt += 1
    this.#retry = clock.setTimer(delayMs, () => this.#connect(), true)
  }
}

interface StreamEvents {
  onAlive(): void
  /** After each response that made sense. */
  onResponse(): void
  /** Once. */
  onClosed(reason: string): void
}

/** One attempt: a channel, a call on it, and its end. */
class AdsStream {
  readonly #options: XdsClientOptions
  readonly #states: ReadonlyMap<string, ResourceState>
  readonly #events: StreamEvents
  /** Types whose first request has been sent on this stream. */
  readonly #begun = new Set<ResourceState>()
  #client: Client | undefined
  #call: ClientDuplexStream<Uint8Array, Uint8Array> | undefined
  #deadline: Timer | undefined
  #introduced = false
  #alive = false
  #closed = false

  constructor(options: XdsClientOptions, states: ReadonlyMap<string, ResourceState>, events: StreamEvents) {
    this.#options = options
    this.#states = states
    this.#events = events
  }

  open(): void {
    try {
      this.#client = this.#options.open()
    } catch (error) {
      this.close(errorMessage(error))
      return
    }
    this.#deadline = this.#options.clock.setTimer(connectTimeoutMs, () => {
      this.close(`no answer within ${connectTimeoutMs} ms`)
    })
    const call = this.#client.makeBidiStreamRequest(method, asBuffer, asBuffer)
    this.#call = call
    call.on('metadata', () => this.#seen())
    call.on('data', (bytes: Uint8Array) => this.#receive(bytes))
    call.on('error', (error) => this.close(error.message))
    call.on('end', () => this.close('the control plane ended the stream'))
    for (const state of this.#states.values()) this.#begin(state)
  }

  /** Tells the server of a change of what is wanted. */
  send(state: ResourceState, request: DeltaDiscoveryRequest): void {
    if (this.#begun.has(state)) this.#write(request)
    else this.#begin(state)
  }

  close(reason: string): void {
    if (this.#closed) return
    this.#closed = true
    this.#deadline?.cancel()
    this.#call?.cancel()
    this.#client?.close()
    this.#events.onClosed(reason)
  }

  #begin(state: ResourceState): void {
    const request = state.resume()
    if (request === undefined) return
    this.#begun.add(state)
    this.#write(request)
  }

  #write(request: DeltaDiscoveryRequest): void {
    if (!this.#introduced) request.node = create(NodeSchema, this.#options.node)
    this.#introduced = true
    this.#call?.write(toBinary(DeltaDiscoveryRequestSchema, request))
  }

  #seen(): void {
    if (this.#closed || this.#alive) return
    this.#alive = true
    this.#deadline?.cancel()
    this.#events.onAlive()
  }

  #receive(bytes: Uint8Array): void {
    if (this.#closed) return
    try {
      this.#seen()
      const response = fromBinary(DeltaDiscoveryResponseSchema, bytes)
      const state = this.#states.get(response.typeUrl)
      if (state === undefined) throw new Error(`response of unknown type "${response.typeUrl}"`)
      const { request, rejected } = state.respond(response, (update) => this.#apply(update))
      if (rejected.length > 0) {
        this.#options.logger.warn('configuration rejected', { typeUrl: response.typeUrl, rejected })
      }
      this.#write(request)
      this.#events.onResponse()
    } catch (error) {
      this.close(`unusable response: ${errorMessage(error)}`)
    }
  }

  /** What the runtime chokes on is rejected like anything else it cannot take: the stream and the last good configuration stay. */
  #apply(update: ResourceUpdate): readonly RejectedResource[] {
    try {
      return this.#options.onUpdate(update)
    } catch (error) {
      return update.changed.map(({ name }) => ({ name, reason: `cannot be applied: ${errorMessage(error)}` }))
    }
  }
}

function asBuffer(message: Uint8Array): Buffer {
  return Buffer.from(message.buffer, message.byteOffset, message.byteLength)
}

// A proxy, from a request that comes to the connection upstream: all of it is the code that a proxy runs.
import type { Locality } from '../../contracts/locality.ts'
import { DeadlineList } from '../../core/deadline-list.ts'
import { silentLogger } from '../../core/logger.ts'
import type { Random } from '../../core/random.ts'
import { WatchableValue } from '../../core/watchable.ts'
import { LimitBuckets } from '../../policies/rate-limit/limit-buckets.runtime.ts'
// The proxy of a client, from the request that its application makes to the connection upstream: all of it is the code that a proxy runs.
import { silentMeter } from '../../policies/typescript-filter/running-filter.runtime.ts'
import { ClusterSet } from '../../proxy/cluster/cluster-set.ts'
import type { ServerStream } from '../../proxy/codec/http-stream.ts'
import { HttpFilters } from '../../proxy/filter/http-filters.ts'
import { RouteLookup } from '../../proxy/filter/route-lookup.ts'
import { ServedRequest, type ServeDeps } from '../../proxy/filter/served-request.ts'
import { TypescriptFilters } from '../../proxy/filter/typescript-filters.ts'
import type { StreamOrigin } from '../../proxy/listener/downstream-connection.ts'
import { ListenerState } from '../../proxy/listener/listener-state.ts'
import type { ListenerConfig, RuntimeConfig } from '../../proxy/runtime/runtime-config.ts'
import { beginExchange } from '../../proxy/telemetry/begin-exchange.ts'
import type { ConnectionSink, Exchange } from '../../proxy/telemetry/exchange.ts'
import { TraceSampling } from '../../proxy/telemetry/trace-sampling.ts'
import { SimulatedClient, type SimulatedConnection } from './simulated-connection.ts'
import { simulatedIo, type SimulatedNetwork } from './simulated-network.ts'

export interface SimulatedProxyOptions {
  readonly network: SimulatedNetwork
  readonly random: Random
  readonly locality: Locality | undefined
  readonly runtime: WatchableValue<RuntimeConfig>
  /** That takes the requests. */
  readonly listener: ListenerConfig
  /** Part of each shared limit that is this proxy's own: nobody deals out more. 1 */
  readonly limitShare?: number
  readonly spiffeId: string
  finished(exchange: Exchange): void
  /** An endpoint of a cluster is passed over from now on, or is not any more. */
  availabilityChanged(cluster: string): void
}

/** Nobody checks them: there is no handshake. */
const credentials = { certificateChainPem: '', privateKeyPem: '', rootsPem: '' }

function nowhere(): Promise<never> {
  return Promise.reject(new Error('nothing of the kind is part of a simulation'))
}

function nothing(): void {}

export class SimulatedProxy {
  readonly clusters: ClusterSet
  readonly #options: SimulatedProxyOptions
  readonly #deps: ServeDeps
  readonly #origin: StreamOrigin

  constructor(options: SimulatedProxyOptions) {
    this.#options = options
    const { network, random, locality, runtime, listener, spiffeId, limitShare = 1 } = options
    const { clock } = network
    this.clusters = new ClusterSet({
      io: simulatedIo(network, locality?.zone, spiffeId),
      clock,
      random,
      credentials: new WatchableValue(credentials),
      connections: this.#connectionSink(),
      secret: () => ({ kind: 'roots', rootsPem: '' }),
      resolveHost: nowhere,
      locality,
      createClient: (_, connection, withoutTls, events) => {
        const http2 = connection.tls === undefined ? withoutTls === 'http2' : connection.tls.alpn === 'h2'
        return new SimulatedClient(connection as SimulatedConnection, http2, events)
      },
    })
    this.clusters.update(runtime.value.clusters)
    runtime.subscribe((config) => this.clusters.update(config.clusters))
    const deadlines = new DeadlineList(clock)
    const jwks = { current: () => undefined, load: nowhere, reload: nowhere }
    const lookup = new RouteLookup({
      runtime,
      lookup: (names) => names.find((name) => runtime.value.routeConfigurations.has(name)) ?? null,
      demand: () => Promise.resolve(undefined),
      isOwnListener: () => false,
    })
    const limits = new LimitBuckets(1)
    const filters = new HttpFilters({
      clock,
      random,
      jwks,
      deadlines,
      clusters: this.clusters,
      principal: spiffeId,
      limits,
      scripts: new TypescriptFilters({
        clock,
        stopwatch: () => clock.monotonicMs(),
        deadlines,
        logger: silentLogger,
        meterOf: () => silentMeter,
      }),
      countRateLimit: () => nothing,
    })
    filters.update(runtime.value.listeners)
    for (const limit of limits.shared.value) limits.assign(limit, limitShare, limitShare, clock.monotonicMs())
    this.#deps = {
      clock,
      random,
      deadlines,
      lookup,
      filters,
      // nobody gets spans
      sampling: new TraceSampling({ workload: '', spiffeId }, random),
      clusters: this.clusters,
      sink: options,
      logger: silentLogger,
      spiffeId,
    }
    const chain = listener.filterChains.find(({ filter }) => filter.kind === 'http')
    this.#origin = {
      listener: new ListenerState(listener),
      chain: () => chain,
      connectedTo: undefined,
      opaqueChain: () => undefined,
      continueConnect() {},
    }
  }

  serve(stream: ServerStream): void {
    const { network, runtime, listener } = this.#options
    const { connection, request, protocol } = stream
    const exchange = beginExchange(network.clock, runtime.value.revision, listener, connection, request, protocol)
    const served = new ServedRequest(this.#deps, stream, this.#origin, exchange)
    stream.handler = served
    served.start()
  }

  #connectionSink(): ConnectionSink {
    const changed = (cluster: string): void => this.#options.availabilityChanged(cluster)
    return {
      rateLimitCounter: () => nothing,
      filterMeter: () => silentMeter,
      concurrencyLimited: nothing,
      mirrored: nothing,
      healthChecked: nothing,
      spansCounted: nothing,
      downstreamOpened: nothing,
      downstreamClosed: nothing,
      downstreamRefused: nothing,
      upstreamOpened: nothing,
      upstreamClosed: nothing,
      upstreamConnectFailed: nothing,
      upstreamOverflow: nothing,
      endpointEjected: changed,
      endpointAdmitted: changed,
      tcpOpened: nothing,
      tcpClosed: nothing,
      tcpFailed: nothing,
      tcpBytes: nothing,
    }
  }
}

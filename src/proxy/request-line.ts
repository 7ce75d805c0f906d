// Puts the request line together: listener → detect → tls → codec → filter → route → cluster → pool → upstream, for one proxy.
import type { Locality } from '../contracts/locality.ts'
import type { BatchedWork } from '../core/batched-work.ts'
import type { Clock } from '../core/clock.ts'
import { DeadlineList } from '../core/deadline-list.ts'
import type { Logger } from '../core/logger.ts'
import type { Random } from '../core/random.ts'
import { systemStopwatch } from '../core/stopwatch.ts'
import type { Watchable } from '../core/watchable.ts'
import { metricsSignal } from '../policies/metrics-export/export-metrics.xds.ts'
import type { OtlpSignal } from '../policies/otlp.xds.ts'
import type { LimitBuckets } from '../policies/rate-limit/limit-buckets.runtime.ts'
import type { Redactor } from '../policies/redaction/redaction.runtime.ts'
import type { JwksSource } from '../policies/request-authentication/jwks.runtime.ts'
import { encodeSpan, traceSignal } from '../policies/tracing/export-trace.xds.ts'
import type { SpanRecord, TraceCollectorSpec } from '../policies/tracing/tracing.spec.ts'
import { ClusterSet, type EndpointState } from './cluster/cluster-set.ts'
import type { ResolveHost } from './cluster/host-addresses.ts'
import type { ServerStream } from './codec/http-stream.ts'
import { HttpFilters } from './filter/http-filters.ts'
import { RouteLookup, type RouteLookupDeps } from './filter/route-lookup.ts'
import { ServedRequest } from './filter/served-request.ts'
import { TappedRequest } from './filter/tapped-request.ts'
import { TypescriptFilters } from './filter/typescript-filters.ts'
import type { IoBackend, TlsCredentials } from './io/connection.ts'
import { type RevokedSvids, watchPeers } from './io/revoked-peers.ts'
import type { StreamOrigin } from './listener/downstream-connection.ts'
import { ListenerSet, type ListeningState } from './listener/listener-set.ts'
import { ServiceChains } from './listener/service-chains.ts'
import type { RuntimeConfig, SecretConfig } from './runtime/runtime-config.ts'
import { FirstSpeakers } from './tcp/first-speakers.ts'
import { beginExchange } from './telemetry/begin-exchange.ts'
import { composeSinks } from './telemetry/compose-sinks.ts'
import type { BodyCopies } from './telemetry/copied-bodies.ts'
import type { ConnectionSink, ExchangeSink } from './telemetry/exchange.ts'
import { MetricsExport, type MetricsExportDeps } from './telemetry/metrics-export.ts'
import { OtlpBatches } from './telemetry/otlp-batches.ts'
import type { PlaintextSink } from './telemetry/plaintext-callers.ts'
import { sendOtlp } from './telemetry/send-otlp.ts'
import { TraceSampling } from './telemetry/trace-sampling.ts'
import { createTraceSink } from './telemetry/trace-sink.ts'

export interface RequestLineDeps {
  readonly io: IoBackend
  readonly runtime: Watchable<RuntimeConfig>
  readonly lookup: RouteLookupDeps['lookup']
  readonly demand: RouteLookupDeps['demand']
  readonly credentials: Watchable<TlsCredentials | undefined>
  /** Certificates of peers that are refused. */
  readonly revoked: Watchable<RevokedSvids>
  /** Of hosts outside the mesh. */
  readonly resolveHost: ResolveHost
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly sink: ExchangeSink
  readonly connections: ConnectionSink
  readonly jwks: JwksSource
  readonly spiffeId: string
  /** Of this proxy; undefined: not told. */
  readonly locality?: Locality | undefined
  readonly limits: LimitBuckets
  readonly plaintextCallers: PlaintextSink
  /** What is told of requests. */
  readonly work: BatchedWork
  /** Where they are copied; absent: nowhere. */
  readonly bodies?: BodyCopies
  /** Absent: nothing is configured. */
  readonly redactor?: () => Redactor
  /** "namespace/name", for the log. */
  readonly proxyName: string
  /** All requests are over, and clusters may be asked for the last time. */
  readonly drained?: () => Promise<void>
  /** Absent: metrics are pushed to nobody, whatever the configuration says. */
  readonly metricsExport?: MetricsExportDeps
}

export interface RequestLine {
  /** By listener name. */
  readonly listening: Watchable<ReadonlyMap<string, ListeningState>>
  /** Stops accepting; resolves when all connections have ended, at the latest after `deadlineMs`. */
  drain(deadlineMs: number): Promise<void>
  /** Ends everything at once. */
  stop(): Promise<void>
  /** By the cluster of the collector. Rejects when it has not taken the message; resolves with how many items it has refused. */
  sendOtlp(signal: OtlpSignal, collector: TraceCollectorSpec, message: Uint8Array): Promise<number>
  /** Endpoints of each cluster, for the admin API. */
  clusters(): ReadonlyMap<string, readonly EndpointState[]>
}

export function createRequestLine(deps: RequestLineDeps): RequestLine {
  const { runtime, clock, random, credentials, connections, bodies, work } = deps
  const peers = watchPeers(deps.io, deps.revoked)
  const { io } = peers
  const logger = deps.logger.child({ proxy: deps.proxyName })
  const secret = (name: string): SecretConfig | undefined => runtime.value.secrets.get(name)
  const { resolveHost, locality } = deps
  const clusters = new ClusterSet({ io, clock, random, credentials, connections, secret, resolveHost, locality })
  const lookup = new RouteLookup({
    runtime,
    lookup: deps.lookup,
    demand: deps.demand,
    isOwnListener: (authority) => listeners.hasAddress(authority),
  })
  const deadlines = new DeadlineList(clock)
  const scripts = new TypescriptFilters({
    clock,
    stopwatch: systemStopwatch,
    deadlines,
    logger,
    meterOf: (filter) => connections.filterMeter(filter),
  })
  const filters = new HttpFilters({
    clock,
    random,
    jwks: deps.jwks,
    deadlines,
    clusters,
    principal: deps.spiffeId,
    limits: deps.limits,
    scripts,
    countRateLimit: (limit) => connections.rateLimitCounter(limit),
  })
  const [namespace = '', workload = ''] = deps.proxyName.split('/')
  const resource = { 'service.name': workload, 'service.namespace': namespace }
  const spans = new OtlpBatches<SpanRecord>({
    clock,
    logger,
    items: 'spans',
    resource,
    encode: encodeSpan,
    counted: (result, count) => connections.spansCounted(result, count),
    send: (collector, message) => sendOtlp({ clock, deadlines, clusters }, traceSignal, collector, message),
  })
  const metrics =
    deps.metricsExport &&
    new MetricsExport(deps.metricsExport, (collector, message) =>
      sendOtlp({ clock, deadlines, clusters }, metricsSignal, collector, message),
    )
  const sink = composeSinks(deps.sink, createTraceSink(clock, random, work, spans, deps.redactor))
  const { spiffeId, proxyName } = deps
  const sampling = new TraceSampling({ workload: proxyName, spiffeId }, random)
  const serveDeps = { clock, random, deadlines, lookup, filters, sampling, clusters, sink, logger, spiffeId }
  const serve = (stream: ServerStream, origin: StreamOrigin): void => {
    const { connection, request, protocol } = stream
    const exchange = beginExchange(clock, runtime.value.revision, origin.listener.config, connection, request, protocol)
    const copies = bodies?.begin(exchange)
    const served =
      copies === undefined
        ? new ServedRequest(serveDeps, stream, origin, exchange)
        : new TappedRequest(serveDeps, stream, origin, exchange, copies, () => work.add(() => bodies?.end(exchange)))
    stream.handler = served
    served.start()
  }
  const serviceChains = new ServiceChains()
  const listeners: ListenerSet = new ListenerSet({
    io,
    clock,
    random,
    logger,
    credentials,
    connections,
    plaintextCallers: deps.plaintextCallers,
    tcp: {
      clock,
      random,
      clusters,
      connections,
      sink,
      revision: () => runtime.value.revision,
      authorizerOf: (config) => filters.authorizerOf(config),
      refusalOf: (filter, ask) => filters.refusalOf(filter, ask),
    },
    firstSpeakers: new FirstSpeakers(clock),
    secret,
    serviceChains: (name) => serviceChains.of(name),
    serve,
    reauthorize: ({ handler }) => {
      if (handler instanceof ServedRequest) handler.reauthorize()
    },
  })

  const apply = (config: RuntimeConfig): void => {
    clusters.update(config.clusters)
    const reauthorizes = filters.update(config.listeners)
    sampling.update(config.listeners)
    filters.updateRoutes(config.routeConfigurations)
    serviceChains.update(config)
    listeners.update(config.listeners)
    metrics?.follow(config.listeners.values())
    if (reauthorizes) listeners.reauthorize()
  }
  apply(runtime.value)
  const unsubscribe = runtime.subscribe(apply)

  const drain = async (deadlineMs: number): Promise<void> => {
    unsubscribe()
    await listeners.drain(deadlineMs)
    work.flush()
    await Promise.all([spans.stop(), metrics?.stop(), deps.drained?.()])
    clusters.drain()
    peers.stop()
  }
  return {
    listening: listeners.listening,
    drain,
    stop: () => drain(0),
    sendOtlp: (signal, collector, message) => sendOtlp({ clock, deadlines, clusters }, signal, collector, message),
    clusters: () => clusters.snapshot(),
  }
}

// One sidecar (or gateway) inside a proxy process: identity → configuration → request line, and the two ports that tell about it.
import { X509Certificate } from 'node:crypto'

import type { ProxyBootstrap, SidecarBootstrap } from '../contracts/bootstrap.ts'
import type { X509Svid } from '../contracts/identity/svid.ts'
import { nodeId, nodeMetadata, typeUrls } from '../contracts/xds/names.ts'
import { BatchedWork } from '../core/batched-work.ts'
import type { Clock, Timer } from '../core/clock.ts'
import { errorMessage } from '../core/errors.ts'
import { Lifecycle } from '../core/lifecycle.ts'
import type { Logger } from '../core/logger.ts'
import type { MetricRegistry } from '../core/metrics/metric-registry.ts'
import { createSystemRandom, randomToken } from '../core/random.ts'
import type { LogRecord } from '../policies/access-log/access-log.spec.ts'
import { encodeLogRecord, logSignal } from '../policies/access-log/export-log.xds.ts'
import { LimitBuckets } from '../policies/rate-limit/limit-buckets.runtime.ts'
import { defaultRedactor } from '../policies/redaction/redaction.runtime.ts'
import { createAdminServer, createMetricsServer, type HttpEndpoint } from '../proxy/admin/admin-server.ts'
import { resolveBySystem } from '../proxy/cluster/dns-resolver.ts'
import { openControlPlaneChannel } from '../proxy/identity/control-plane-channel.ts'
import type { IdentityAgent } from '../proxy/identity/identity-agent.ts'
import { watchTrust } from '../proxy/identity/trust-watch.ts'
import type { IoBackend, ListeningHandle, TlsCredentials } from '../proxy/io/connection.ts'
import { createJwksSource } from '../proxy/jwks/jwks-source.ts'
import { watchQuota } from '../proxy/quota/watch-quota.ts'
import { createRequestLine, type RequestLine } from '../proxy/request-line.ts'
import { createRuntimeStore } from '../proxy/runtime/runtime-store.ts'
import { type AccessLogOutputs, countBatches, createAccessLog } from '../proxy/telemetry/access-log.ts'
import { composeSinks } from '../proxy/telemetry/compose-sinks.ts'
import { createRecordSink } from '../proxy/telemetry/decision-records.ts'
import type { TelemetryIdentity } from '../proxy/telemetry/exchange.ts'
import { answerHeldRecords } from '../proxy/telemetry/held-records-stream.ts'
import { HeldRecords, type HoldingLimit } from '../proxy/telemetry/held-records.ts'
import { metricsPages } from '../proxy/telemetry/metrics-pages.ts'
import { streamMetrics } from '../proxy/telemetry/metrics-stream.ts'
import { OtlpBatches } from '../proxy/telemetry/otlp-batches.ts'
import { PlaintextCallers } from '../proxy/telemetry/plaintext-callers.ts'
import { ProxyMetrics } from '../proxy/telemetry/proxy-metrics.ts'
import { streamRecords } from '../proxy/telemetry/records-stream.ts'
import { redactorOf } from '../proxy/telemetry/redacting.ts'
import type { ReportStream } from '../proxy/telemetry/report-stream.ts'
import { Tap } from '../proxy/telemetry/tap.ts'
import { WaitingRecords } from '../proxy/telemetry/waiting-records.ts'
import { createXdsClient, xdsChannelOptions } from '../proxy/xds-client/xds-client.ts'
import { type HandedSockets, listenOnHanded, onHanded } from './handed-sockets.ts'

/** So long after the first listener, one resource that does not come keeps a sidecar no longer from being ready with the rest. */
const completeWithinMs = 10_000
/** So long a sidecar that ends waits for the control plane to have its last counts and records. */
const lastReportMs = 1_000

export interface SidecarOptions {
  readonly bootstrap: ProxyBootstrap
  readonly sidecar: SidecarBootstrap
  /** Shared by all sidecars of the process. */
  readonly io: IoBackend
  readonly clock: Clock
  readonly logger: Logger
  readonly sockets: HandedSockets
  readonly identity: IdentityAgent
  readonly registry: MetricRegistry
  /** Shared by all sidecars of the process. */
  readonly holding: HoldingLimit
  /** Of the process: its own output, and files. */
  readonly accessLogOutputs: Omit<AccessLogOutputs, 'send'>
}

export interface Sidecar {
  /** Where its two ports really are: admin and metrics. Rejects when one of them cannot be had. */
  readonly endpoints: Promise<readonly [string, string]>
  /** Has its certificate and its configuration, and its listeners accept connections. */
  readonly ready: Promise<void>
  stop(drainDeadlineMs: number): Promise<void>
}

export function startSidecar({
  bootstrap,
  sidecar,
  io,
  clock,
  logger,
  sockets,
  identity,
  registry,
  holding,
  accessLogOutputs,
}: SidecarOptions): Sidecar {
  const lifecycle = new Lifecycle()
  const random = createSystemRandom()
  const telemetry: TelemetryIdentity = { workload: `${sidecar.namespace}/${sidecar.name}`, spiffeId: sidecar.spiffeId }
  const metrics = new ProxyMetrics(registry, telemetry)

  // 1. Identity: a certificate, renewed for as long as the sidecar lives; with it the control plane is asked.
  const controlPlane = {
    address: bootstrap.controlPlaneAddress,
    controlPlaneSpiffeId: bootstrap.controlPlaneSpiffeId,
    trustBundleFile: bootstrap.trustBundleFile,
  }

  const node = nodeId(sidecar.kind, sidecar.namespace, sidecar.name)
  const instance = { id: node, metadata: { [nodeMetadata.instance]: randomToken(9) } }
  const resource = {
    'service.name': sidecar.name,
    'service.namespace': sidecar.namespace,
    'service.instance.id': instance.metadata[nodeMetadata.instance] ?? '',
  }
  const startedAtMs = clock.nowMs()
  let stopWatching: (() => void) | undefined
  let reports: readonly ReportStream[] = []
  const records = new WaitingRecords(clock, metrics)
  const held = new HeldRecords(clock, holding)
  const work = new BatchedWork(clock)
  const limits = new LimitBuckets(1 / (bootstrap.workers ?? 1))
  lifecycle.onStop(() => stopWatching?.())

  // 2. Configuration: resources arrive, are decoded and checked, and become one immutable RuntimeConfig.
  const store = createRuntimeStore({ clock, logger })
  const xds = createXdsClient({
    node: {
      id: node,
      ...(sidecar.locality === undefined ? {} : { locality: sidecar.locality }),
      metadata: {
        [nodeMetadata.namespace]: sidecar.namespace,
        [nodeMetadata.name]: sidecar.name,
        [nodeMetadata.kind]: sidecar.kind,
      },
    },
    open: () => {
      const credentials = identity.credentials.value
      if (credentials === undefined) throw new Error('no certificate yet')
      stopWatching?.()
      const channel = openControlPlaneChannel({ ...controlPlane, credentials, channelOptions: xdsChannelOptions })
      const stopTrust = watchTrust(channel, { node, processes: bootstrap.workers ?? 1, identity, clock })
      const stopQuota = watchQuota(channel, { node, limits, clock })
      const streams = [
        streamMetrics(channel, { node: instance, registry, startedAtMs, counter: metrics, clock }),
        streamRecords(channel, { node, records, counter: metrics, clock }),
      ]
      reports = streams
      const stopAnswering = answerHeldRecords(channel, { node, held, work, clock })
      stopWatching = () => {
        stopTrust()
        stopQuota()
        for (const stream of streams) stream.stop()
        stopAnswering()
      }
      return channel
    },
    clock,
    random,
    logger,
    onUpdate: (update) => {
      const rejected = store.apply(update)
      for (const { name, reason } of rejected) {
        metrics.configRejected()
        logger.error('resource rejected', { typeUrl: update.typeUrl, name, reason })
      }
      return rejected
    },
  })
  const subscribe = (): void => {
    const wanted = store.wanted.value
    xds.subscribe(typeUrls.routeConfiguration, wanted.routeConfigurations)
    xds.subscribe(typeUrls.cluster, wanted.clusters)
    xds.subscribe(typeUrls.clusterLoadAssignment, wanted.endpoints)
    xds.subscribe(typeUrls.secret, wanted.secrets)
  }
  lifecycle.onStop(store.wanted.subscribe(subscribe))
  lifecycle.onStop(store.runtime.subscribe(({ revision }) => metrics.configApplied(revision)))

  // 3. The request line, and those who read what it did.
  let redactor = defaultRedactor
  lifecycle.onStop(store.runtime.subscribe((config) => (redactor = redactorOf(config))))
  const tap = new Tap({ redactor: () => redactor, bodiesAsked: () => metrics.bodiesTapped() })
  const logs = new OtlpBatches<LogRecord>({
    clock,
    logger,
    items: 'log records',
    resource,
    encode: encodeLogRecord,
    counted: countBatches(metrics),
    send: (collector, message) => requestLine.sendOtlp(logSignal, collector, message),
  })
  const send: AccessLogOutputs['send'] = (collector, record) => logs.add(collector, [record])
  const outputs = { ...accessLogOutputs, send }
  const accessLog = createAccessLog({ outputs, counter: metrics, clock, random, logger, redactor: () => redactor })
  const jwks = createJwksSource({ clock, logger })
  lifecycle.onStop(() => jwks.close())
  const plaintextCallers = new PlaintextCallers(clock)
  lifecycle.onStop(store.runtime.subscribe((config) => plaintextCallers.update(config)))
  const requestLine: RequestLine = createRequestLine({
    io: listenOnHanded(io, sockets, bootstrap.worker === true),
    runtime: store.runtime,
    lookup: (candidates) => store.lookup(candidates),
    demand: (candidates) => store.demand(candidates),
    credentials: identity.credentials,
    revoked: identity.revoked,
    resolveHost: resolveBySystem,
    clock,
    random,
    logger,
    sink: composeSinks(
      metrics,
      plaintextCallers,
      createRecordSink({ ...telemetry, redactor: () => redactor }, clock, work, accessLog, tap, records, held),
    ),
    connections: metrics,
    jwks,
    spiffeId: sidecar.spiffeId,
    locality: sidecar.locality,
    limits,
    plaintextCallers,
    work,
    bodies: tap.bodies,
    redactor: () => redactor,
    proxyName: telemetry.workload,
    drained: () => logs.stop(),
    metricsExport: {
      clock,
      logger,
      registry,
      startedAtMs,
      resource,
      counted: (result, points) => metrics.pointsCounted(result, points),
    },
  })

  // 4. Start: configuration is asked for once there is a certificate to show. Listeners come into force one by one, as what they lead to
  // arrives: ready is who has all of them.
  let complete = false
  const ready = new Promise<void>((resolve) => {
    const check = (): void => {
      if (isReady()) resolve()
    }
    const completed = (): void => {
      complete = true
      check()
    }
    lifecycle.onStop(requestLine.listening.subscribe(check))
    lifecycle.onStop(store.settled.subscribe((settled) => settled && completed()))
    let timer: Timer | undefined
    lifecycle.onStop(
      store.runtime.subscribe(({ listeners }) => {
        if (listeners.size > 0) timer ??= clock.setTimer(completeWithinMs, completed)
      }),
    )
    lifecycle.onStop(() => timer?.cancel())
  })
  const isReady = (): boolean => {
    const listeners = [...store.runtime.value.listeners.keys()]
    const listening = requestLine.listening.value
    return (
      complete &&
      identity.credentials.value !== undefined &&
      listeners.length > 0 &&
      listeners.every((name) => listening.get(name) === 'listening')
    )
  }
  let started = false
  lifecycle.onStop(
    identity.credentials.subscribe((credentials) => {
      if (credentials === undefined) return
      metrics.certificateRenewed(sidecar.spiffeId, identity.notAfterMs ?? 0)
      if (started) return
      started = true
      xds.start()
    }),
  )
  identity.start()
  const endpoint = async (
    address: string,
    listen: (handle: ListeningHandle | undefined) => Promise<HttpEndpoint>,
  ): Promise<HttpEndpoint> => {
    const where = socketAddress(address)
    const opened = await onHanded(sockets, where, listen)
    return {
      address: opened.address,
      stop() {
        const stopped = opened.stop()
        sockets.close(where)
        return stopped
      },
    }
  }
  const endpoints: [Promise<HttpEndpoint>, Promise<HttpEndpoint>] = [
    endpoint(sidecar.adminAddress, (handle) =>
      createAdminServer({
        address: sidecar.adminAddress,
        handle,
        token: bootstrap.adminToken,
        clock,
        isReady,
        config: () => store.runtime.value,
        listening: () => requestLine.listening.value,
        svid: () => svidOf(sidecar.spiffeId, identity.credentials.value),
        clusters: () => Object.fromEntries(requestLine.clusters()),
        stats: () => ({ revision: store.runtime.value.revision }),
        plaintextCallers: () => plaintextCallers.report(),
        tap,
      }),
    ),
    endpoint(sidecar.metricsAddress, (handle) =>
      createMetricsServer({ address: sidecar.metricsAddress, handle, pages: metricsPages(registry, startedAtMs) }),
    ),
  ]
  for (const opened of endpoints) {
    opened.catch((error: unknown) => logger.error('admin port cannot be had', { error: errorMessage(error) }))
  }

  return {
    ready,
    endpoints: Promise.all(endpoints).then((both) => [both[0].address, both[1].address] as const),
    async stop(drainDeadlineMs) {
      const drained = requestLine.drain(drainDeadlineMs)
      // whoever comes after this process answers there now
      for (const opened of await Promise.allSettled(endpoints)) {
        if (opened.status === 'fulfilled') await opened.value.stop()
      }
      await drained
      await Promise.all(reports.map((stream) => stream.finish(lastReportMs)))
      xds.stop()
      identity.stop()
      await requestLine.stop()
      await lifecycle.stop()
    },
  }
}

export function socketAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) }
}

function svidOf(spiffeId: string, credentials: TlsCredentials | undefined): X509Svid | undefined {
  if (credentials === undefined) return undefined
  const { certificateChainPem, privateKeyPem } = credentials
  const { validFromDate, validToDate } = new X509Certificate(certificateChainPem)
  return {
    spiffeId,
    certificateChainPem,
    privateKeyPem,
    notBeforeMs: validFromDate.getTime(),
    notAfterMs: validToDate.getTime(),
  }
}

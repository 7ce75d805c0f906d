// One sidecar (or gateway) inside a proxy process: identity → configuration → request line, and the two ports that tell about it.
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'

import type { ProxyBootstrap, SidecarBootstrap } from '../contracts/bootstrap.ts'
import type { X509Svid } from '../contracts/identity/svid.ts'
import { nodeId, nodeMetadata, typeUrls } from '../contracts/xds/names.ts'
import type { Clock } from '../core/clock.ts'
import { errorMessage } from '../core/errors.ts'
import { Lifecycle } from '../core/lifecycle.ts'
import type { Logger } from '../core/logger.ts'
import { createSystemRandom } from '../core/random.ts'
import { createAdminServer, createMetricsServer } from '../proxy/admin/admin-server.ts'
import { createCertificateClient } from '../proxy/identity/certificate-client.ts'
import { openControlPlaneChannel } from '../proxy/identity/control-plane-channel.ts'
import { createIdentityAgent } from '../proxy/identity/identity-agent.ts'
import type { TlsCredentials } from '../proxy/io/connection.ts'
import { createNetBackend } from '../proxy/io/net-backend.ts'
import { createRequestLine } from '../proxy/request-line.ts'
import { createRuntimeStore } from '../proxy/runtime/runtime-store.ts'
import { createAccessLog } from '../proxy/telemetry/access-log.ts'
import { composeSinks } from '../proxy/telemetry/compose-sinks.ts'
import { createRecordSink } from '../proxy/telemetry/decision-records.ts'
import type { TelemetryIdentity } from '../proxy/telemetry/exchange.ts'
import { MetricRegistry } from '../proxy/telemetry/metric-registry.ts'
import { renderPrometheus } from '../proxy/telemetry/prometheus.ts'
import { ProxyMetrics } from '../proxy/telemetry/proxy-metrics.ts'
import { createTap } from '../proxy/telemetry/tap.ts'
import { createXdsClient, xdsChannelOptions } from '../proxy/xds-client/xds-client.ts'

export interface SidecarOptions {
  readonly bootstrap: ProxyBootstrap
  readonly sidecar: SidecarBootstrap
  readonly clock: Clock
  readonly logger: Logger
  /** Takes the lines of the access log. */
  readonly writeAccessLog: (line: string) => void
}

export interface Sidecar {
  /** Has its certificate and its configuration, and its listeners accept connections. */
  readonly ready: Promise<void>
  stop(drainDeadlineMs: number): Promise<void>
}

export function startSidecar({ bootstrap, sidecar, clock, logger, writeAccessLog }: SidecarOptions): Sidecar {
  const lifecycle = new Lifecycle()
  const random = createSystemRandom()
  const telemetry: TelemetryIdentity = { workload: `${sidecar.namespace}/${sidecar.name}`, spiffeId: sidecar.spiffeId }
  const registry = new MetricRegistry(logger)
  const metrics = new ProxyMetrics(registry, telemetry)

  // 1. Identity: a key of its own, a certificate for it, renewed for as long as the sidecar lives.
  const controlPlane = {
    address: bootstrap.controlPlaneAddress,
    controlPlaneSpiffeId: bootstrap.controlPlaneSpiffeId,
    trustBundleFile: bootstrap.trustBundleFile,
  }
  const identity = createIdentityAgent({
    spiffeId: sidecar.spiffeId,
    sign: createCertificateClient({ ...controlPlane, clock }),
    token: async () => (await readFile(sidecar.tokenFile, 'utf8')).trim(),
    clock,
    random,
    logger,
  })

  // 2. Configuration: resources arrive, are decoded and checked, and become one immutable RuntimeConfig.
  const store = createRuntimeStore({ clock, logger })
  const xds = createXdsClient({
    node: {
      id: nodeId(sidecar.kind, sidecar.namespace, sidecar.name),
      metadata: {
        [nodeMetadata.namespace]: sidecar.namespace,
        [nodeMetadata.name]: sidecar.name,
        [nodeMetadata.kind]: sidecar.kind,
      },
    },
    open: () => {
      const credentials = identity.credentials.value
      if (credentials === undefined) throw new Error('no certificate yet')
      return openControlPlaneChannel({ ...controlPlane, credentials, channelOptions: xdsChannelOptions })
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
  const tap = createTap()
  const accessLog = createAccessLog({ write: writeAccessLog, enabled: true })
  const requestLine = createRequestLine({
    io: createNetBackend(clock),
    runtime: store.runtime,
    lookup: (candidates) => store.lookup(candidates),
    demand: (candidates) => store.demand(candidates),
    credentials: identity.credentials,
    clock,
    random,
    logger,
    sink: composeSinks(metrics, createRecordSink(telemetry, accessLog, tap)),
    connections: metrics,
    proxyName: telemetry.workload,
  })

  // 4. Start: configuration is asked for once there is a certificate to show.
  const ready = new Promise<void>((resolve) => {
    const check = (): void => {
      if (isReady()) resolve()
    }
    lifecycle.onStop(requestLine.listening.subscribe(check))
    lifecycle.onStop(store.runtime.subscribe(check))
  })
  const isReady = (): boolean => {
    const listeners = [...store.runtime.value.listeners.keys()]
    const listening = requestLine.listening.value
    return (
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
  const endpoints = [
    createAdminServer({
      address: sidecar.adminAddress,
      token: bootstrap.adminToken,
      isReady,
      config: () => store.runtime.value,
      listening: () => requestLine.listening.value,
      svid: () => svidOf(sidecar.spiffeId, identity.credentials.value),
      clusters: () => requestLine.clusters(),
      stats: () => ({ revision: store.runtime.value.revision }),
      tap,
    }),
    createMetricsServer({ address: sidecar.metricsAddress, render: () => renderPrometheus(registry) }),
  ]
  for (const endpoint of endpoints) {
    endpoint.catch((error: unknown) => logger.error('admin port cannot be had', { error: errorMessage(error) }))
  }

  return {
    ready,
    async stop(drainDeadlineMs) {
      await requestLine.drain(drainDeadlineMs)
      xds.stop()
      identity.stop()
      await requestLine.stop()
      for (const endpoint of await Promise.allSettled(endpoints)) {
        if (endpoint.status === 'fulfilled') await endpoint.value.stop()
      }
      await lifecycle.stop()
    },
  }
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

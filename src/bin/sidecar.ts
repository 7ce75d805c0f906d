// One sidecar (or gateway) inside a proxy process: identity → configuration → request line, and the two ports that tell about it.
import { readFile } from 'node:fs/promises'

import type { ProxyBootstrap, SidecarBootstrap } from '../contracts/bootstrap.ts'
import { nodeId, nodeMetadata, typeUrls } from '../contracts/xds/names.ts'
import type { Clock } from '../core/clock.ts'
import { Lifecycle } from '../core/lifecycle.ts'
import type { Logger } from '../core/logger.ts'
import { createSystemRandom } from '../core/random.ts'
import { createAdminServer, createMetricsServer } from '../proxy/admin/admin-server.ts'
import { createCertificateClient, openControlPlaneChannel } from '../proxy/identity/certificate-client.ts'
import { createIdentityAgent } from '../proxy/identity/identity-agent.ts'
import { createNetBackend } from '../proxy/io/net-backend.ts'
import { createRequestLine } from '../proxy/request-line.ts'
import { createRuntimeStore } from '../proxy/runtime/runtime-store.ts'
import { createXdsClient } from '../proxy/xds-client/xds-client.ts'

export interface SidecarOptions {
  readonly bootstrap: ProxyBootstrap
  readonly sidecar: SidecarBootstrap
  readonly clock: Clock
  readonly logger: Logger
}

export interface Sidecar {
  /** Has its certificate and its configuration, and its listeners accept connections. */
  readonly ready: Promise<void>
  stop(drainDeadlineMs: number): Promise<void>
}

export function startSidecar({ bootstrap, sidecar, clock, logger }: SidecarOptions): Sidecar {
  const lifecycle = new Lifecycle()
  const random = createSystemRandom()

  // 1. Identity: a key of our own, a certificate for it, renewed for as long as we live.
  const identity = createIdentityAgent({
    spiffeId: sidecar.spiffeId,
    sign: createCertificateClient(bootstrap),
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
    open: () => openControlPlaneChannel(bootstrap, identity.credentials.value),
    clock,
    random,
    logger,
    onUpdate: (update) => store.apply(update),
  })
  const follow = (): void => {
    const wanted = store.wanted.value
    xds.subscribe(typeUrls.routeConfiguration, wanted.routeConfigurations)
    xds.subscribe(typeUrls.cluster, wanted.clusters)
    xds.subscribe(typeUrls.clusterLoadAssignment, wanted.endpoints)
  }
  lifecycle.onStop(store.wanted.subscribe(follow))

  // 3. Telemetry, then the request line itself.
  return { ready: Promise.resolve(), stop: () => lifecycle.stop() }
}

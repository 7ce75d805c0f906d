// `heddle control-plane`: the configuration line from documents to proxies. Composition root of the control plane.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import { Server, ServerCredentials } from '@grpc/grpc-js'

import type { ControlPlaneOptions } from '../cli/roles.ts'
import type { ControlPlaneMessage } from '../contracts/bootstrap.ts'
import { defaultPortBase, ports as wellKnownPorts } from '../contracts/ports.ts'
import { hostPort } from '../contracts/xds/names.ts'
import { systemClock } from '../core/clock.ts'
import { Lifecycle } from '../core/lifecycle.ts'
import { createPinoLogger } from '../core/pino-logger.ts'
import { WatchableValue } from '../core/watchable.ts'
import { readOrCreateAdminToken } from '../control/api/admin-token.ts'
import { startControlApi } from '../control/api/control-api.ts'
import { buildDesiredState } from '../control/api/desired-state.ts'
import { createDocumentsPort } from '../control/api/documents-port.ts'
import { buildMeshState } from '../control/api/mesh-state.ts'
import { claimedPorts, neededAddresses } from '../control/api/sidecar-addresses.ts'
import { WorkloadStatuses } from '../control/api/workload-statuses.ts'
import { createAuthority } from '../control/authority/authority.ts'
import { createCertificateService } from '../control/authority/certificate-service.ts'
import { createJoinTokens } from '../control/authority/join-tokens.ts'
import { createControlPlaneServerCredentials } from '../control/authority/server-credentials.ts'
import { createConfiguration } from '../control/configuration.ts'
import { PortAllocator } from '../control/ports/port-allocator.ts'
import { probePort } from '../control/ports/port-probe.ts'
import type { MeshSnapshot } from '../control/snapshot/mesh-snapshot.ts'
import { createFileSource } from '../control/sources/file-source.ts'
import { createStoreSource } from '../control/sources/store-source.ts'
import { openAppliedDocuments } from '../control/store/applied-documents.ts'
import { openRevisions } from '../control/store/revisions.ts'
import { openSqliteStore } from '../control/store/sqlite-store.ts'
import { createResourceView } from '../control/translate/resource-view-builder.ts'
import { identifyByNodeId, identifyBySvid } from '../control/xds-server/node-identity.ts'
import { createXdsServer, xdsServerChannelOptions } from '../control/xds-server/xds-server.ts'

const host = '127.0.0.1'
const joinTokenTtlMs = 10 * 60_000

export async function runControlPlane(options: ControlPlaneOptions): Promise<void> {
  const clock = systemClock
  const logger = createPinoLogger({ name: 'control-plane', level: options.verbose ? 'debug' : 'info' })
  const lifecycle = new Lifecycle()
  mkdirSync(options.stateDir, { recursive: true, mode: 0o700 })

  // 1. Documents: files, and what was applied. Every revision is kept.
  const store = openSqliteStore({ file: join(options.stateDir, 'heddle.db'), clock })
  lifecycle.onStop(() => store.close())
  const applied = await openAppliedDocuments(store)
  const revisions = await openRevisions(store)
  const sources = [createFileSource({ paths: options.files, clock, logger }), createStoreSource(applied)]
  for (const source of sources) {
    await source.start()
    lifecycle.onStop(() => source.stop())
  }
  const configuration = createConfiguration({ sources, initialRevision: revisions.next, clock, logger })
  lifecycle.onStop(() => configuration.stop())
  const snapshotNow = (): MeshSnapshot => configuration.snapshot.value

  // 2. Identity.
  const authority = createAuthority({
    stateDir: options.stateDir,
    trustDomain: snapshotNow().settings.trustDomain,
    clock,
    svidLifetimeMs: () => snapshotNow().settings.svidLifetimeMs,
  })
  const tokens = createJoinTokens({ store, clock })
}

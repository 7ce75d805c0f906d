// `heddle control-plane`: the configuration line from documents to proxies. Composition root of the control plane.
import { mkdirSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { join } from 'node:path'

import { Server, ServerCredentials } from '@grpc/grpc-js'

import type { ControlPlaneOptions } from '../cli/roles.ts'
import type { ControlPlaneMessage } from '../contracts/bootstrap.ts'
import type { DesiredState } from '../contracts/desired-state.ts'
import { controlPlaneSpiffeId } from '../contracts/identity/control-plane-identity.ts'
import { gatewayServiceAccount } from '../contracts/identity/spiffe-id.ts'
import { hostPort, nodeId } from '../contracts/xds/names.ts'
import { readOrCreateAdminToken } from '../control/api/admin-token.ts'
import { createApiTokens } from '../control/api/api-tokens.ts'
import { openAuditLog } from '../control/api/audit-log.ts'
import { startControlApi } from '../control/api/control-api.ts'
import { buildDesiredState } from '../control/api/desired-state.ts'
import { createDocumentsPort } from '../control/api/documents-port.ts'
import { buildMeshState } from '../control/api/mesh-state.ts'
import { claimedPorts, neededAddresses } from '../control/api/sidecar-addresses.ts'
import { WorkloadStatuses } from '../control/api/workload-statuses.ts'
import { createAuthority } from '../control/authority/authority.ts'
import { createCertificateService } from '../control/authority/certificate-service.ts'
import { createJoinTokens } from '../control/authority/join-tokens.ts'
import { createJwtAuthority } from '../control/authority/jwt-authority.ts'
import { createJwtService } from '../control/authority/jwt-service.ts'
import { Rotation } from '../control/authority/rotation.ts'
import { createControlPlaneServerCredentials } from '../control/authority/server-credentials.ts'
import { TrustWatch } from '../control/authority/trust-watch.ts'
import { watchUpstreamFiles } from '../control/authority/upstream-watch.ts'
import { createConfiguration } from '../control/configuration.ts'
import { documentTexts } from '../control/model/document.ts'
import { Model } from '../control/model/model.ts'
import { PortAllocator } from '../control/ports/port-allocator.ts'
import { probePort } from '../control/ports/port-probe.ts'
import type { MeshSnapshot } from '../control/snapshot/mesh-snapshot.ts'
import { createFileSource } from '../control/sources/file-source.ts'
import type { SourceFile } from '../control/sources/source.ts'
import { createStoreSource } from '../control/sources/store-source.ts'
import { createAppliedDocuments } from '../control/store/applied-documents.ts'
import { createConfigurationRevisions } from '../control/store/revisions.ts'
import { openSqliteStore } from '../control/store/sqlite-store.ts'
import { createResourceView } from '../control/translate/mesh-resource-view.ts'
import { identifyByNodeId, identifyBySvid } from '../control/xds-server/node-identity.ts'
import { createXdsServer, xdsServerChannelOptions } from '../control/xds-server/xds-server.ts'
import { systemClock } from '../core/clock.ts'
import { errorMessage } from '../core/errors.ts'
import { Lifecycle } from '../core/lifecycle.ts'
import { createPinoLogger } from '../core/pino-logger.ts'
import { WatchableValue } from '../core/watchable.ts'

const joinTokenTtlMs = 10 * 60_000
const recordDelayMs = 50

export async function runControlPlane(options: ControlPlaneOptions): Promise<void> {
  const clock = systemClock
  const logger = createPinoLogger({ name: 'control-plane', level: options.verbose ? 'debug' : 'info' })
  const lifecycle = new Lifecycle()
  mkdirSync(options.stateDir, { recursive: true, mode: 0o700 })

  // 1. Documents: files, and what was applied. Every revision is kept.
  const store = openSqliteStore({ file: join(options.stateDir, 'heddle.db'), clock, logger })
  lifecycle.onStop(() => store.close())
  const applied = await createAppliedDocuments(store)
  lifecycle.onStop(() => applied.stop())
  const revisions = await createConfigurationRevisions(store)
  const sources = [createFileSource({ paths: options.files, clock, logger }), createStoreSource(applied)]
  for (const source of sources) {
    await source.start()
    lifecycle.onStop(() => source.stop())
  }
  const files = (): readonly SourceFile[] => sources.flatMap((source) => source.files.value)
  const configuration = createConfiguration({
    sources,
    initialRevision: String(revisions.resume(documentTexts(new Model().update(files()).documents))),
    clock,
    logger,
  })
  const record = ({ revision }: MeshSnapshot): void => {
    const documents = configuration.documents()
    // a disk that takes its time must not keep the change from the proxies
    clock.setTimer(recordDelayMs, () => {
      revisions
        .record(Number(revision), documentTexts(documents))
        .catch((error: unknown) => logger.error('revision not recorded', { revision, error: errorMessage(error) }))
    })
  }
  record(configuration.snapshot.value)
  lifecycle.onStop(configuration.snapshot.subscribe(record))
  lifecycle.onStop(() => configuration.stop())
  const snapshotNow = (): MeshSnapshot => configuration.snapshot.value

  // 2. Identity.
  const svidLifetimeMs = (): number => snapshotNow().settings.svidLifetimeMs
  const authority = createAuthority({
    stateDir: options.stateDir,
    trustDomain: snapshotNow().settings.trustDomain,
    clock,
    svidLifetimeMs,
    upstreamFiles: options.certificateAuthority,
  })
  const tokens = createJoinTokens({ store, clock })

  // 3. Addresses, then resources and what should run: only once every address of the new snapshot is known.
  const addresses = new PortAllocator({
    file: join(options.stateDir, 'ports.json'),
    portBase: options.portBase,
    clock,
    probe: probePort,
  })
  const prepare = async (snapshot: MeshSnapshot): Promise<void> => {
    const needed = neededAddresses(snapshot)
    needed.set(self, ['api', 'xds', 'xds-tls'])
    await addresses.reserve(needed, claimedPorts(snapshot))
  }
  await prepare(snapshotNow())
  const workloadStatuses = new WorkloadStatuses()
  let inForce = snapshotNow()
  const view = new WatchableValue(createResourceView(inForce, addresses))
  const showView = (): void =>
    view.set(createResourceView(inForce, addresses, view.value, workloadStatuses.serving.value))
  const desiredOf = (snapshot: MeshSnapshot): DesiredState =>
    buildDesiredState(snapshot, addresses, { defaultWorkingDirectory: process.cwd() })
  const desired = new WatchableValue(desiredOf(snapshotNow()))
  const force = async (snapshot: MeshSnapshot): Promise<void> => {
    // a newer one is already waiting behind this
    if (snapshot !== snapshotNow()) return
    try {
      await prepare(snapshot)
      inForce = snapshot
      showView()
      desired.set(desiredOf(snapshot))
    } catch (error) {
      logger.error('the new configuration stays out of force', { error: errorMessage(error) })
    }
  }
  let forced = Promise.resolve()
  const follow = (snapshot: MeshSnapshot): void => {
    forced = forced.then(() => force(snapshot))
  }
  lifecycle.onStop(configuration.snapshot.subscribe(follow))
  lifecycle.onStop(workloadStatuses.serving.subscribe(showView))

  // 4. Data planes: configuration for anybody on loopback; certificates and configuration over TLS for our own.
  // the file source has already waited for a burst to end: waiting again would only delay the change
  const xds = createXdsServer({ view, clock, logger, debounceMs: 1 })
  lifecycle.onStop(() => xds.stop())
  const addressOf = (purpose: 'api' | 'xds' | 'xds-tls'): { host: string; port: number } =>
    addresses.address(self, purpose)
  const plaintext = new Server(xdsServerChannelOptions)
  const plaintextXds = xds.service(identifyByNodeId)
  plaintext.addService(plaintextXds.definition, plaintextXds.implementation)
  const xdsAddress = await listen(plaintext, addressOf('xds'), ServerCredentials.createInsecure(), lifecycle)

  const secured = new Server(xdsServerChannelOptions)
  const securedXds = xds.service(
    identifyBySvid(authority.trustDomain, ({ kind, namespace, name }) =>
      kind === 'gateway'
        ? gatewayServiceAccount(name)
        : snapshotNow().workloads.get(`${namespace}/${name}`)?.serviceAccount,
    ),
  )
  secured.addService(securedXds.definition, securedXds.implementation)
  const isWanted = (spiffeId: string): boolean =>
    desired.value.sidecars.some((sidecar) => sidecar.spiffeId === spiffeId)
  const certificates = createCertificateService({ authority, tokens, authorizedIdentity: isWanted, clock, logger })
  secured.addService(certificates.definition, certificates.implementation)
  const jwtAuthority = createJwtAuthority({ stateDir: options.stateDir, clock, svidLifetimeMs })
  const jwts = createJwtService({ authority: jwtAuthority, authorizedIdentity: isWanted, clock, logger })
  secured.addService(jwts.definition, jwts.implementation)
  /** SPIFFE ID by node id. */
  const proxies = (): ReadonlyMap<string, string> =>
    new Map(
      desired.value.sidecars.map(({ kind, namespace, name, spiffeId }) => [nodeId(kind, namespace, name), spiffeId]),
    )
  const trust: TrustWatch = new TrustWatch({ authority, proxies, svidLifetimeMs, changed: () => rotation.check() })
  lifecycle.onStop(() => trust.stop())
  const trustService = trust.service()
  secured.addService(trustService.definition, trustService.implementation)
  const rotation = new Rotation({
    authority,
    proxies: () => proxies().keys(),
    isCurrent: (node) => trust.isCurrent(node),
    clock,
    logger,
  })
  lifecycle.onStop(() => rotation.stop())
  if (options.certificateAuthority !== undefined) {
    const reload = (): void => {
      authority.reload()
      rotation.check()
    }
    lifecycle.onStop(watchUpstreamFiles({ files: options.certificateAuthority, reload, clock, logger }))
  }
  lifecycle.onStop(desired.subscribe(() => rotation.check()))
  const server = createControlPlaneServerCredentials({ authority, clock, logger })
  lifecycle.onStop(() => server.stop())
  const xdsTlsAddress = await listen(secured, addressOf('xds-tls'), server.credentials, lifecycle)

  // 5. People and the supervisor.
  const token = readOrCreateAdminToken(options.stateDir)
  const apiAddress = addressOf('api')
  const apiUrl = `http://${hostPort(apiAddress.host, apiAddress.port)}`
  const api = await startControlApi(
    {
      clock,
      logger,
      tokens: await createApiTokens({ store, clock, adminToken: token }),
      audit: openAuditLog({ file: join(options.stateDir, 'audit.jsonl'), clock, logger }),
      revision: () => snapshotNow().revision,
      desired,
      mesh: () =>
        buildMeshState(snapshotNow(), addresses, {
          adminUrl: apiUrl,
          adminToken: token,
          xdsAddress,
          isReady: (workload) => workloadStatuses.isReady(workload),
          reason: (workload) => workloadStatuses.reason(workload),
        }),
      problems: () => configuration.problems.value,
      proxies: () => xds.proxies(),
      documents: createDocumentsPort({
        configuration,
        files,
        applied,
      }),
      createJoinToken: async (spiffeId) => ({
        token: await tokens.create(proxyOf(desired.value, spiffeId), spiffeId, joinTokenTtlMs),
        expiresAtMs: clock.nowMs() + joinTokenTtlMs,
      }),
      workloadStatuses,
      authority: rotation,
    },
    apiAddress.host,
    apiAddress.port,
  )
  lifecycle.onStop(() => api.stop())

  logger.info('control plane serves', { apiUrl, xdsAddress, xdsTlsAddress, revision: snapshotNow().revision })
  flushCompileCache()
  const message: ControlPlaneMessage = {
    type: 'ready',
    apiUrl,
    xdsTlsAddress,
    spiffeId: controlPlaneSpiffeId(authority.trustDomain),
    trustBundleFile: authority.trustBundleFile,
  }
  if (process.connected) process.send?.(message)
  await new Promise<void>((resolve) => {
    process.on('SIGTERM', resolve)
    process.on('SIGINT', resolve)
    if (options.parentWatch) process.on('disconnect', resolve)
  })
  await lifecycle.stop()
  process.exit(0)
}

/** Owner of the control plane's own ports in the allocation. */
const self = 'control-plane'

function proxyOf(desired: DesiredState, spiffeId: string): string {
  const sidecar = desired.sidecars.find((one) => one.spiffeId === spiffeId)
  if (sidecar === undefined) throw new Error(`no workload of this mesh is ${spiffeId}`)
  return `${sidecar.namespace}/${sidecar.name}`
}

function listen(
  server: Server,
  address: { readonly host: string; readonly port: number },
  credentials: ServerCredentials,
  lifecycle: Lifecycle,
): Promise<string> {
  lifecycle.onStop(() => server.forceShutdown())
  const target = hostPort(address.host, address.port)
  return new Promise((resolve, reject) => {
    server.bindAsync(target, credentials, (error) => {
      if (error === null) resolve(target)
      else reject(error)
    })
  })
}

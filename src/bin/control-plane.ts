// `heddle control-plane`: the configuration line from documents to proxies. Composition root of the control plane.
import { mkdirSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { join } from 'node:path'

import { Server, ServerCredentials } from '@grpc/grpc-js'

import type { ControlPlaneOptions } from '../cli/roles.ts'
import type { ControlPlaneMessage } from '../contracts/bootstrap.ts'
import type { FederationStatus } from '../contracts/control-api.ts'
import type { DesiredState } from '../contracts/desired-state.ts'
import { controlPlaneSpiffeId } from '../contracts/identity/control-plane-identity.ts'
import { gatewayServiceAccount } from '../contracts/identity/spiffe-id.ts'
import type { Problem } from '../contracts/problem.ts'
import { hostPort, nodeId, typeUrls } from '../contracts/xds/names.ts'
import { readOrCreateAdminToken } from '../control/api/admin-token.ts'
import { createApiTokens } from '../control/api/api-tokens.ts'
import { openAuditLog } from '../control/api/audit-log.ts'
import { startControlApi } from '../control/api/control-api.ts'
import { buildDesiredState } from '../control/api/desired-state.ts'
import { createDocumentsPort } from '../control/api/documents-port.ts'
import { FileAudit } from '../control/api/file-audit.ts'
import { createJoinTokensPort } from '../control/api/join-tokens-port.ts'
import { buildMeshState } from '../control/api/mesh-state.ts'
import { claimedPorts, neededAddresses } from '../control/api/sidecar-addresses.ts'
import { WorkloadStatuses } from '../control/api/workload-statuses.ts'
import { authorityProblems } from '../control/authority/authority-expiry.ts'
import { createAuthority } from '../control/authority/authority.ts'
import type { AuthorityOptions } from '../control/authority/authority.ts'
import { createCertificateService } from '../control/authority/certificate-service.ts'
import { prepareFirstIntermediate, watchIntermediate } from '../control/authority/intermediate-watch.ts'
import { createJoinTokenAttestor } from '../control/authority/join-token-attestor.ts'
import { createJoinTokens } from '../control/authority/join-tokens.ts'
import { createJwtAuthority } from '../control/authority/jwt-authority.ts'
import { createJwtService } from '../control/authority/jwt-service.ts'
import { Rotation } from '../control/authority/rotation.ts'
import { createControlPlaneServerCredentials } from '../control/authority/server-credentials.ts'
import { createSvidAttestor } from '../control/authority/svid-attestor.ts'
import { TrustWatch } from '../control/authority/trust-watch.ts'
import { watchUpstreamFiles } from '../control/authority/upstream-watch.ts'
import { createExperimentRunner } from '../control/chaos/experiment-runner.ts'
import { withFaults } from '../control/chaos/with-faults.ts'
import { createConfiguration } from '../control/configuration.ts'
import { BundleServer } from '../control/federation/bundle-server.ts'
import { Federation } from '../control/federation/federation.ts'
import { OwnBundle } from '../control/federation/own-bundle.ts'
import { documentTexts } from '../control/model/document.ts'
import { Model } from '../control/model/model.ts'
import { PortAllocator } from '../control/ports/port-allocator.ts'
import { probePort } from '../control/ports/port-probe.ts'
import { QuotaDealer } from '../control/quota/quota-dealer.ts'
import { sharedLimitsOf } from '../control/quota/shared-limits.ts'
import type { MeshSnapshot } from '../control/snapshot/mesh-snapshot.ts'
import { createFileSource } from '../control/sources/file-source.ts'
import type { Source, SourceFile } from '../control/sources/source.ts'
import { createStoreSource } from '../control/sources/store-source.ts'
import { createAppliedDocuments } from '../control/store/applied-documents.ts'
import { createConfigurationRevisions } from '../control/store/revisions.ts'
import { openSqliteStore } from '../control/store/sqlite-store.ts'
import { ControlPlaneMetrics } from '../control/telemetry/control-plane-metrics.ts'
import type { ControlPlaneState } from '../control/telemetry/control-plane-metrics.ts'
import { MeshEvents } from '../control/telemetry/mesh-events.ts'
import { NoticedRevisions } from '../control/telemetry/noticed-revisions.ts'
import { ObservedTraffic } from '../control/telemetry/observed-traffic.ts'
import { PrometheusHistory } from '../control/telemetry/prometheus-history.ts'
import { createResourceView } from '../control/translate/mesh-resource-view.ts'
import { NodeSecrets } from '../control/translate/node-secrets.ts'
import { identifyByNodeId, identifyBySvid } from '../control/xds-server/node-identity.ts'
import { createXdsServer, xdsServerChannelOptions } from '../control/xds-server/xds-server.ts'
import { systemClock } from '../core/clock.ts'
import { errorMessage } from '../core/errors.ts'
import { Lifecycle } from '../core/lifecycle.ts'
import { createPinoLogger } from '../core/pino-logger.ts'
import { createSystemRandom } from '../core/random.ts'
import { WatchableValue } from '../core/watchable.ts'
import type { ReadApiDeps } from '../dashboard-api/read-api-deps.ts'
import { registerReadApi } from '../dashboard-api/read-api.ts'
import { durationMs } from '../policies/scalars.schema.ts'
import { type Dashboard, startDashboard } from './dashboard.ts'
import { listenGrpc, peerAddress } from './listen-grpc.ts'
import { createMeshTap } from './mesh-tap.ts'
import { ObservedMesh } from './observed-mesh.ts'
import { pushMetrics } from './pushed-metrics.ts'

const recordDelayMs = 50

export async function runControlPlane(options: ControlPlaneOptions): Promise<void> {
  const lifecycle = new Lifecycle()
  try {
    await run(options, lifecycle)
  } catch (error) {
    // what is open already would keep the process, and whoever started it would wait for ever
    await lifecycle.stop()
    throw error
  }
}

async function run(options: ControlPlaneOptions, lifecycle: Lifecycle): Promise<void> {
  const clock = systemClock
  const logger = createPinoLogger({ name: 'control-plane', level: options.verbose ? 'debug' : 'info' })
  mkdirSync(options.stateDir, { recursive: true, mode: 0o700 })

  // 1. Documents: files, and what was applied. Every revision is kept.
  const store = openSqliteStore({ file: join(options.stateDir, 'heddle.db'), clock, logger })
  lifecycle.onStop(() => store.close())
  const applied = await createAppliedDocuments(store)
  lifecycle.onStop(() => applied.stop())
  const revisions = await createConfigurationRevisions(store)
  const audit = openAuditLog({ file: join(options.stateDir, 'audit.jsonl'), clock, logger })
  const fileSource = createFileSource({ paths: options.files, clock, logger })
  const sources = [fileSource, createStoreSource(applied)]
  for (const source of sources) {
    await source.start()
    lifecycle.onStop(() => source.stop())
  }
  const files = (): readonly SourceFile[] => sources.flatMap((source) => source.files.value)
  const recorded = (await revisions.documents(revisions.current)) ?? new Map<string, string>()
  const fileAudit = new FileAudit({
    audit,
    files: fileSource.files,
    documents: recorded,
    revision: String(revisions.current),
  })
  const events = new MeshEvents(clock)
  const noticedRevisions = new NoticedRevisions(events, await revisions.list(), recorded)
  let source: Source = fileSource
  const configuration = createConfiguration({
    sources,
    onRevision: (_, changed) => (source = changed ?? fileSource),
    recorded,
    initialRevision: String(revisions.resume(documentTexts(new Model(recorded).update(files()).documents))),
    clock,
    logger,
  })
  const record = ({ revision }: MeshSnapshot): void => {
    const documents = configuration.documents()
    const changedFiles =
      source === fileSource ? [...fileAudit.changedFiles(), ...configuration.changedCode()] : undefined
    // a disk that takes its time must not keep the change from the proxies
    clock.setTimer(recordDelayMs, () => {
      const texts = documentTexts(documents)
      fileAudit.revised(revision, texts, changedFiles)
      noticedRevisions.update(revision, texts)
      revisions
        .record(Number(revision), texts)
        .catch((error: unknown) => logger.error('revision not recorded', { revision, error: errorMessage(error) }))
    })
  }
  record(configuration.snapshot.value)
  lifecycle.onStop(configuration.snapshot.subscribe(record))
  lifecycle.onStop(() => configuration.stop())
  const snapshotNow = (): MeshSnapshot => configuration.snapshot.value

  // 2. Identity.
  const svidLifetimeMs = (): number => snapshotNow().settings.svidLifetimeMs
  const federation = new Federation({ stateDir: options.stateDir, clock, random: createSystemRandom(), logger })
  federation.follow(snapshotNow().settings.federation)
  lifecycle.onStop(() => federation.stop())
  const { certificateAuthority } = options
  const authorityOptions: AuthorityOptions = {
    stateDir: options.stateDir,
    trustDomain: snapshotNow().settings.trustDomain,
    clock,
    svidLifetimeMs,
    upstreamFiles:
      certificateAuthority && 'program' in certificateAuthority
        ? { ...certificateAuthority, environment: process.env }
        : certificateAuthority,
    federatedBundles: federation.bundles,
  }
  await prepareFirstIntermediate(authorityOptions)
  const authority = createAuthority(authorityOptions)
  const { revocations } = authority
  const bundleEndpoint = () => snapshotNow().settings.federation?.bundleEndpoint
  const refreshHintMs = (): number => durationMs(bundleEndpoint()?.refreshHint ?? '5m')
  // who looks once in a while has looked then, or has tried more than once
  const distributeForMs = (): number => (bundleEndpoint() === undefined ? 0 : 2 * refreshHintMs())
  const tokens = createJoinTokens({ store, clock })
  const metrics = new ControlPlaneMetrics(logger)

  // 3. Addresses, then resources and what should run: only once every address of the new snapshot is known.
  const addresses = new PortAllocator({
    file: join(options.stateDir, 'ports.json'),
    portBase: options.portBase,
    clock,
    probe: probePort,
  })
  const prepare = async (snapshot: MeshSnapshot): Promise<void> => {
    const needed = neededAddresses(snapshot)
    needed.set(self, ['api', 'xds', 'xds-tls', ...(options.dashboard === undefined ? [] : (['dashboard'] as const))])
    await addresses.reserve(needed, claimedPorts(snapshot))
  }
  await prepare(snapshotNow())
  const workloadStatuses = new WorkloadStatuses()
  const traffic = new ObservedTraffic({ clock })
  const chaos = await createExperimentRunner({
    clock,
    logger,
    store,
    snapshot: configuration.snapshot,
    observed: (service, sinceMs) => traffic.destination(service, sinceMs),
  })
  lifecycle.onStop(() => chaos.stop())
  let inForce = snapshotNow()
  const view = new WatchableValue(createResourceView(inForce, addresses))
  const showView = (): void => {
    const suffering = withFaults(inForce, chaos.faults.value)
    view.set(createResourceView(suffering, addresses, view.value, workloadStatuses.serving.value))
  }
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
  lifecycle.onStop(chaos.faults.subscribe(showView))

  // 4. Data planes: configuration for anybody on loopback; certificates and configuration over TLS for our own.
  // the file source has already waited for a burst to end: waiting again would only delay the change
  const isWanted = (spiffeId: string): boolean =>
    desired.value.sidecars.some((sidecar) => sidecar.spiffeId === spiffeId)
  const nodeSecrets = new NodeSecrets({
    view,
    authority,
    federatedBundles: federation.bundles,
    isWanted: (spiffeId) => spiffeId !== controlPlaneSpiffeId(authority.trustDomain) && isWanted(spiffeId),
    metrics,
    clock,
    logger,
  })
  lifecycle.onStop(() => nodeSecrets.stop())
  const xds = createXdsServer({ view: nodeSecrets.view, clock, logger, debounceMs: 1 })
  lifecycle.onStop(() => xds.stop())
  const addressOf = (purpose: 'api' | 'xds' | 'xds-tls' | 'dashboard'): { host: string; port: number } =>
    addresses.address(self, purpose)
  const plaintext = new Server(xdsServerChannelOptions)
  const plaintextXds = xds.service(identifyByNodeId)
  plaintext.addService(plaintextXds.definition, plaintextXds.implementation)
  const xdsAddress = await listenGrpc(plaintext, addressOf('xds'), ServerCredentials.createInsecure(), lifecycle)

  const secured = new Server(xdsServerChannelOptions)
  const securedXds = xds.service(
    identifyBySvid(
      authority.trustDomain,
      ({ kind, namespace, name }) =>
        kind === 'gateway'
          ? gatewayServiceAccount(name)
          : snapshotNow().workloads.get(`${namespace}/${name}`)?.serviceAccount,
      (spiffeId, notBeforeMs) => revocations.refusesCertificate(spiffeId, notBeforeMs),
    ),
  )
  secured.addService(securedXds.definition, securedXds.implementation)
  const joinTokenAttestor = createJoinTokenAttestor({
    tokens,
    revocations,
    used({ id, proxy, spiffeId }, peer) {
      const { revision } = snapshotNow()
      audit.append({
        role: 'proxy',
        token: `join-token/${id}`,
        from: peerAddress(peer),
        request: 'SignCertificate',
        status: 200,
        changes: [{ object: `join-token/${id}`, action: `used by ${proxy} for ${spiffeId}` }],
        revisionBefore: revision,
        revisionAfter: revision,
      })
    },
  })
  const attestation = {
    // Kubernetes' projected service-account tokens are another bearer token: their attestor goes here
    attestors: [joinTokenAttestor, createSvidAttestor(clock, revocations)],
    authorizedIdentity: isWanted,
    metrics,
    logger,
  }
  const certificates = createCertificateService({ authority, ...attestation })
  secured.addService(certificates.definition, certificates.implementation)
  const jwtAuthority = createJwtAuthority({
    stateDir: options.stateDir,
    clock,
    svidLifetimeMs,
    distributeForMs,
    logger,
  })
  const jwts = createJwtService({
    authority: jwtAuthority,
    federated: () => federation.bundles.value,
    ...attestation,
  })
  secured.addService(jwts.definition, jwts.implementation)
  /** SPIFFE ID by node id. */
  const proxies = (): ReadonlyMap<string, string> =>
    new Map(
      desired.value.sidecars.map(({ kind, namespace, name, spiffeId }) => [nodeId(kind, namespace, name), spiffeId]),
    )
  const trust: TrustWatch = new TrustWatch({ authority, proxies, svidLifetimeMs, changed: () => rotation.check() })
  lifecycle.onStop(() => trust.stop())
  // after the trust watch has told each proxy why
  lifecycle.onStop(revocations.list.subscribe(() => xds.identifyAgain()))
  const trustService = trust.service()
  secured.addService(trustService.definition, trustService.implementation)
  const ownBundle = new OwnBundle({
    stateDir: options.stateDir,
    authority,
    jwtKeys: () => jwtAuthority.keys,
    refreshHintMs,
    clock,
  })
  const bundleServer = new BundleServer({ authority, bundle: ownBundle, clock, logger })
  lifecycle.onStop(() => bundleServer.stop())
  bundleServer.follow(bundleEndpoint())
  const followFederation = (): void => {
    federation.follow(snapshotNow().settings.federation)
    bundleServer.follow(bundleEndpoint())
  }
  lifecycle.onStop(configuration.snapshot.subscribe(followFederation))
  const federationStatus = (): FederationStatus => ({
    trustDomains: federation.status(),
    ...(bundleServer.fault !== undefined && { bundleEndpointFault: bundleServer.fault }),
  })
  const quotas = new QuotaDealer({
    clock,
    proxies,
    isRevoked: (spiffeId, notBeforeMs) => revocations.refusesCertificate(spiffeId, notBeforeMs),
    limitsOf: (node) => sharedLimitsOf(snapshotNow(), node),
  })
  lifecycle.onStop(() => quotas.stop())
  const quotaService = quotas.service()
  secured.addService(quotaService.definition, quotaService.implementation)
  const observed = new ObservedMesh({
    clock,
    traffic,
    events,
    proxies,
    isRevoked: (spiffeId, notBeforeMs) => revocations.refusesCertificate(spiffeId, notBeforeMs),
  })
  const { problems } = configuration
  const workloads = workloadStatuses.all
  lifecycle.onStop(observed.follow({ problems, workloads, proxies: xds.nodes, proxyStatuses: () => xds.proxies() }))
  for (const { definition, implementation } of observed.services) secured.addService(definition, implementation)
  const rotation = new Rotation({
    distributeForMs,
    authority,
    proxies,
    isCurrent: (node) => trust.isCurrent(node),
    refusesRevoked: (node) => trust.refusesRevoked(node),
    clock,
    logger,
  })
  lifecycle.onStop(() => rotation.stop())
  if (authorityOptions.upstreamFiles !== undefined) {
    const reload = (): void => {
      authority.reload()
      rotation.check()
    }
    lifecycle.onStop(watchUpstreamFiles({ files: authorityOptions.upstreamFiles, reload, clock, logger }))
    lifecycle.onStop(watchIntermediate({ authority, taken: () => rotation.check(), clock, logger }))
  }
  lifecycle.onStop(desired.subscribe(() => rotation.check()))
  const server = createControlPlaneServerCredentials({ authority, clock, logger })
  lifecycle.onStop(() => server.stop())
  const xdsTlsAddress = await listenGrpc(secured, addressOf('xds-tls'), server.credentials, lifecycle)

  const state = (): ControlPlaneState => ({
    authority: rotation.status(),
    proxiesConnected: xds.proxies().filter(({ connected }) => connected).length,
  })
  lifecycle.onStop(pushMetrics({ clock, logger, metrics, state, snapshot: configuration.snapshot }))

  // 5. People and the supervisor.
  const token = readOrCreateAdminToken(options.stateDir)
  const apiAddress = addressOf('api')
  const documents = createDocumentsPort({
    configuration,
    files,
    applied,
    progressOf: (id) => chaos.statusOf(id),
  })
  let dashboard: Dashboard | undefined
  const allProblems = (): readonly Problem[] => [
    ...configuration.problems.value,
    ...authorityProblems(authority.certificates(), clock.nowMs()),
    ...(dashboard?.problems ?? []),
  ]
  const readApi: ReadApiDeps = {
    clock,
    snapshot: snapshotNow,
    traffic,
    ...(options.prometheusUrl !== undefined && {
      history: new PrometheusHistory({ url: options.prometheusUrl, fetch }),
    }),
    events,
    requests: observed.requests,
    ...createMeshTap({ clock, token, snapshot: snapshotNow, addresses }),
    statuses: workloadStatuses,
    proxies: () => xds.proxies(),
    proxyCertificates: observed.certificates,
    passedOver: observed.passedOver,
    authorityCertificates: () => authority.certificates(),
    problems: () => [...allProblems(), ...workloadStatuses.problems()],
    documents: () => documents.list({}),
    revisions: () => revisions.list(),
    documentsOf: (revision) => revisions.documents(revision),
  }
  const apiTokens = await createApiTokens({ store, clock, adminToken: token })
  if (options.dashboard !== undefined) {
    const { host, port } = options.dashboard.port === undefined ? addressOf('dashboard') : apiAddress
    const address = { host, port: options.dashboard.port ?? port }
    dashboard = await startDashboard(options.stateDir, address, { readApi, tokens: apiTokens, audit, logger })
    lifecycle.onStop(() => dashboard?.stop())
  }
  const apiUrl = `http://${hostPort(apiAddress.host, apiAddress.port)}`
  const api = await startControlApi(
    {
      clock,
      logger,
      tokens: apiTokens,
      audit,
      revision: () => snapshotNow().revision,
      desired,
      mesh: () =>
        buildMeshState(snapshotNow(), addresses, {
          adminUrl: apiUrl,
          adminToken: token,
          ...(dashboard?.url !== undefined && { dashboardUrl: dashboard.url }),
          xdsAddress,
          xdsTlsAddress,
          isReady: (workload) => workloadStatuses.isReady(workload),
          reason: (workload) => workloadStatuses.reason(workload),
        }),
      problems: allProblems,
      proxies: () => xds.proxies(),
      routesOf: (namespace, name, routes) => {
        const node = { kind: 'sidecar', id: nodeId('sidecar', namespace, name), namespace, name } as const
        return view.value.get(typeUrls.routeConfiguration, routes, node)?.body
      },
      documents,
      registerReadApi: (app) => registerReadApi(app, readApi),
      joinTokens: createJoinTokensPort({ tokens, proxies, refusals: () => metrics.refusals, clock }),
      workloadStatuses,
      renderMetrics: () => metrics.render(state()),
      authority: {
        status: () => ({
          ...rotation.status(),
          jwtKeys: jwtAuthority.status(),
          ...(snapshotNow().settings.federation !== undefined && { federation: federationStatus() }),
        }),
        bundle: () => ownBundle.current(),
        start: async (kind) => {
          await authority.prepareRotation(kind)
          rotation.start(kind)
        },
        revoke: (spiffeId, reason) => rotation.revoke(spiffeId, reason),
        rotateJwtKey: () => jwtAuthority.rotate(),
      },
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

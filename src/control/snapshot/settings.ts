// Mesh-wide settings: XMesh (GEP-3949) points to a MeshConfig; without an XMesh the only MeshConfig there is applies.
import { resolve } from 'node:path'

import type { Problem } from '../../contracts/problem.ts'
import { hostPort } from '../../contracts/xds/names.ts'
import type { ExtensionService } from '../../policies/extension-service.schema.ts'
import { toExternalAuthorizationSpec } from '../../policies/external-authorization/external-authorization.schema.ts'
import type { ExtensionProvider } from '../../policies/external-authorization/external-authorization.schema.ts'
import type { FederatedTrustDomainSpec, FederationSpec } from '../../policies/federation/federation.spec.ts'
import { toForwardedHeadersSpec } from '../../policies/forwarded-headers/forwarded-headers.schema.ts'
import { toMetricsExportSpec } from '../../policies/metrics-export/metrics-export.schema.ts'
import { toPathNormalizationSpec } from '../../policies/path-normalization/path-normalization.schema.ts'
import { toRateLimitServerSpec } from '../../policies/rate-limit/rate-limit-server.schema.ts'
import type { RateLimitServerSpec } from '../../policies/rate-limit/rate-limit.spec.ts'
import { durationMs } from '../../policies/scalars.schema.ts'
import { meshTelemetry, toTelemetrySpec } from '../../policies/telemetry/telemetry.schema.ts'
import type { CollectorOf, TelemetryFields } from '../../policies/telemetry/telemetry.schema.ts'
import type { TelemetrySpec } from '../../policies/telemetry/telemetry.spec.ts'
import { type OtlpSignalName, toTraceCollectorSpec } from '../../policies/tracing/tracing.schema.ts'
import type { TraceCollectorSpec } from '../../policies/tracing/tracing.spec.ts'
import { documentProblem, sourceLocation } from '../model/document.ts'
import type { ModelDocument } from '../model/document.ts'
import { defaultMeshConfig } from '../model/heddle-kinds.ts'
import type { MeshConfigSpec } from '../model/heddle-kinds.ts'
import { heddleGroup } from '../model/kinds.ts'
import { nearest } from '../model/nearest.ts'
import type { DocumentIndex } from './document-index.ts'
import type { MeshSettings } from './mesh-snapshot.ts'
import { compareText } from './services.ts'
import { badCondition, goodCondition, meshControllerName, supportedMeshFeatures } from './status.ts'
import type { DocumentStatus } from './status.ts'

export interface CompiledSettings {
  readonly settings: MeshSettings
  /** What the MeshConfig says of it, for documents that say otherwise. */
  readonly telemetry: TelemetryFields
  readonly collectorOf: CollectorOf
  /** Of extension providers that are one. */
  readonly collectorNames: readonly string[]
  readonly problems: readonly Problem[]
  readonly statuses: ReadonlyMap<string, DocumentStatus>
}

export function compileSettings(index: DocumentIndex): CompiledSettings {
  const problems: Problem[] = []
  const statuses = new Map<string, DocumentStatus>()
  const configs = index.all('MeshConfig').toSorted(byName)
  const [mesh, ...others] = index
    .all('XMesh')
    .filter((one) => one.spec.controllerName === meshControllerName)
    .toSorted(byName)
  for (const other of others) {
    const message = `there is one mesh, and ${mesh?.id} describes it`
    problems.push(documentProblem(other, 'HDL012', 'error', ['metadata', 'name'], message, 'Remove one of them.'))
    statuses.set(other.id, { conditions: [badCondition('Accepted', 'Conflicted', message)] })
  }
  let config: ModelDocument<'MeshConfig'> | undefined = configs[0]
  if (mesh !== undefined) {
    config = undefined
    let accepted = goodCondition('Accepted', 'the mesh is configured by it')
    const ref = mesh.spec.parametersRef
    if (ref !== undefined) {
      const ours = ref.group === heddleGroup && ref.kind === 'MeshConfig'
      config = ours ? index.get('MeshConfig', '', ref.name) : undefined
      if (config === undefined) {
        const meant = ours ? nearest(ref.name, index.names('MeshConfig', '')) : undefined
        const message = ours
          ? `there is no MeshConfig "${ref.name}"`
          : `parameters of kind ${ref.group}/${ref.kind} are not understood`
        const hint = meant === undefined ? `Refer to a MeshConfig of group ${heddleGroup}.` : `Did you mean "${meant}"?`
        const path = ['spec', 'parametersRef', ours ? 'name' : 'kind']
        problems.push(documentProblem(mesh, 'HDL008', 'error', path, message, hint))
        accepted = badCondition('Accepted', 'InvalidParameters', message)
      }
    }
    statuses.set(mesh.id, { conditions: [accepted], supportedFeatures: supportedMeshFeatures })
  }
  for (const one of configs) {
    if (one === config) continue
    const message = config === undefined ? 'no XMesh refers to it: not in force' : `${config.id} is in force instead`
    problems.push(documentProblem(one, 'HDL012', 'warning', ['metadata', 'name'], message))
  }
  const spec = config?.spec ?? defaultMeshConfig
  const telemetry = meshTelemetry(spec.accessLog, spec.tracing)
  const ofCollectors = {
    collectorOf: (ref, signal) => collectorOf(spec, ref, signal),
    collectorNames: collectorNames(spec),
  } satisfies Partial<CompiledSettings>
  const settings = toSettings(spec, config?.folder, toTelemetrySpec(telemetry, ofCollectors.collectorOf))
  const compiled = { settings, telemetry, ...ofCollectors, problems, statuses }
  if (config === undefined) return compiled
  problems.push(...collectorProblems(config))
  const outboundTrafficPolicySource = sourceLocation(config, ['spec', 'outboundTrafficPolicy'])
  return { ...compiled, settings: { ...settings, outboundTrafficPolicySource } }
}

function toSettings(spec: MeshConfigSpec, folder: string | undefined, telemetry: TelemetrySpec): MeshSettings {
  const federation = toFederation(spec.federation, folder)
  return {
    trustDomain: spec.trustDomain,
    trustDomainAliases: spec.trustDomainAliases,
    ...(federation !== undefined && { federation }),
    authorizationServers: new Map(
      spec.extensionProviders
        .filter(({ envoyExtAuthzGrpc, envoyExtAuthzHttp }) => (envoyExtAuthzGrpc ?? envoyExtAuthzHttp) !== undefined)
        .map((provider) => [provider.name, toExternalAuthorizationSpec(provider, serverClusterOf(provider))]),
    ),
    rateLimitServers: new Map(
      spec.extensionProviders.flatMap((provider): [string, RateLimitServerSpec][] => {
        const { name, envoyRateLimitGrpc: server } = provider
        return server === undefined ? [] : [[name, toRateLimitServerSpec(server, serverClusterOf(provider))]]
      }),
    ),
    authorizationDefault: spec.authorization.defaultAction === 'deny' ? 'DENY' : 'ALLOW',
    peerAuthentication: spec.peerAuthentication.mode,
    outboundTrafficPolicy: spec.outboundTrafficPolicy.mode,
    svidLifetimeMs: durationMs(spec.certificates.workloadLifetime),
    h2UpgradePolicy: spec.h2UpgradePolicy,
    ...telemetry,
    ...(spec.tracing?.preloadPropagation === true && { preloadsPropagation: true }),
    ...metricsExportOf(spec),
    paths: toPathNormalizationSpec(spec.pathNormalization),
    ...(spec.redaction === undefined ? {} : { redaction: spec.redaction }),
    forwardedHeaders: {
      gateway: toForwardedHeadersSpec(spec.forwardedHeaders, 'gateway'),
      sidecar: toForwardedHeadersSpec(spec.forwardedHeaders, 'sidecar'),
    },
  }
}

function toFederation(spec: FederationSpec, folder: string | undefined): FederationSpec | undefined {
  const { bundleEndpoint, federatesWith } = spec
  if (bundleEndpoint === undefined && federatesWith.length === 0) return undefined
  const absolute = federatesWith.map((one): FederatedTrustDomainSpec => {
    const { trustDomainBundleFile: file } = one
    return file === undefined ? one : { ...one, trustDomainBundleFile: resolve(folder ?? '', file) }
  })
  return { ...spec, federatesWith: absolute }
}

interface ProviderRef {
  readonly name: string
}

/** Undefined: none is named, or none is called so. */
function collectorOf(
  { extensionProviders }: MeshConfigSpec,
  ref: ProviderRef | undefined,
  signal: OtlpSignalName,
): TraceCollectorSpec | undefined {
  const provider = extensionProviders.find(({ name }) => name === ref?.name)
  if (provider?.opentelemetry === undefined) return undefined
  return toTraceCollectorSpec(provider.opentelemetry, serverClusterOf(provider), signal)
}

function metricsExportOf(spec: MeshConfigSpec): Pick<MeshSettings, 'metricsExport'> {
  const { metrics } = spec
  const collector = collectorOf(spec, metrics?.provider, 'metrics')
  const saysNothing = collector === undefined && metrics?.histograms !== 'exponential'
  return metrics === undefined || saysNothing ? {} : { metricsExport: toMetricsExportSpec(metrics, collector) }
}

function collectorNames({ extensionProviders }: MeshConfigSpec): string[] {
  return extensionProviders.filter(({ opentelemetry }) => opentelemetry !== undefined).map(({ name }) => name)
}

function collectorProblems(config: ModelDocument<'MeshConfig'>): Problem[] {
  const { tracing, metrics, accessLog } = config.spec
  const names = collectorNames(config.spec)
  const signals = [
    { field: 'tracing', provider: tracing?.provider.name, without: 'there are no spans' },
    { field: 'metrics', provider: metrics?.provider?.name, without: 'metrics are not pushed' },
    { field: 'accessLog', provider: accessLog.provider?.name, without: "lines stay in the proxies' output" },
  ]
  return signals.flatMap(({ field, provider, without }) => {
    if (provider === undefined || names.includes(provider)) return []
    const meant = nearest(provider, names)
    const message = `no extension provider with "opentelemetry" is called "${provider}": ${without}`
    const hint = meant === undefined ? 'Add it to extensionProviders.' : `Did you mean "${meant}"?`
    return [documentProblem(config, 'HDL008', 'error', ['spec', field, 'provider', 'name'], message, hint)]
  })
}

/** "namespace/" in front of the service says nothing that its whole name does not. */
function serverClusterOf(provider: ExtensionProvider): string {
  const { envoyExtAuthzGrpc, envoyExtAuthzHttp, envoyRateLimitGrpc, opentelemetry } = provider
  const server = envoyExtAuthzGrpc ?? envoyExtAuthzHttp ?? envoyRateLimitGrpc ?? opentelemetry
  const { service, port } = server as ExtensionService
  return hostPort(service.slice(service.indexOf('/') + 1), port)
}

function byName(a: { readonly id: string }, b: { readonly id: string }): number {
  return compareText(a.id, b.id)
}

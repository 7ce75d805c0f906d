// The documents in force → the MeshSnapshot, what is wrong between them, and the status of each. Pure.
import type { Problem } from '../../contracts/problem.ts'
import { hostPort } from '../../contracts/xds/names.ts'
import type { ModelDocument } from '../model/document.ts'
import type { FilterCode } from '../sources/filter-code.ts'
import { withOriginatedTls } from './backend-tls.ts'
import { withBackendTrafficPolicies } from './backend-traffic-policies.ts'
import { BackendResolver } from './backends.ts'
import { compileExperiments } from './chaos-experiments.ts'
import { DocumentIndex } from './document-index.ts'
import { TargetedFilters } from './filters.ts'
import { compileGateways } from './gateways.ts'
import { compileMeshRoutes } from './mesh-routes.ts'
import type { MeshService, MeshServicePort, MeshSnapshot } from './mesh-snapshot.ts'
import { withStreams } from './mesh-streams.ts'
import { withPeerAuthentication } from './peer-authentication.ts'
import { withGatewayAncestors } from './policy-ancestors.ts'
import { PolicyScopes } from './policy-scopes.ts'
import { withRateLimits } from './rate-limits.ts'
import { ProblemList, RouteAttachment } from './route-attachment.ts'
import { SecretShelf } from './secrets.ts'
import { SecurityPolicies } from './security.ts'
import { compileServices } from './services.ts'
import { compileSettings } from './settings.ts'
import { badCondition, gatewayControllerName, goodCondition, supportedGatewayFeatures } from './status.ts'
import type { DocumentStatus } from './status.ts'
import { StreamAttachment } from './stream-attachment.ts'
import { withTelemetry } from './telemetry.ts'
import { withTrafficPolicies } from './traffic-policies.ts'
import { compileWorkloads } from './workloads.ts'

export interface CompiledMesh {
  readonly snapshot: MeshSnapshot
  readonly problems: readonly Problem[]
  /** By document id. */
  readonly statuses: ReadonlyMap<string, DocumentStatus>
}

export function compileMesh(
  documents: readonly ModelDocument[],
  revision: string,
  filterCode?: ReadonlyMap<string, FilterCode>,
): CompiledMesh {
  const index = new DocumentIndex(documents, filterCode)
  const problems = new ProblemList()
  const meshWide = compileSettings(index)
  problems.add(...meshWide.problems)
  const drafts = compileServices(index)
  problems.add(...drafts.problems)
  const scopes = new PolicyScopes(index, drafts.services)
  const security = new SecurityPolicies(index, scopes, meshWide.settings, problems)
  const compiledWorkloads = compileWorkloads(index, drafts.services, security)
  problems.add(...compiledWorkloads.problems)
  const peers = withPeerAuthentication(index, meshWide.settings, compiledWorkloads.workloads, problems)
  const resolver = new BackendResolver(index, drafts.services)
  const attachment = new RouteAttachment(index, resolver, problems)
  const streamAttachment = new StreamAttachment(resolver, problems)
  const shelf = new SecretShelf(index)
  const secured = withOriginatedTls(index, drafts.services, shelf, problems)
  const treated = withTrafficPolicies(index, secured.services, meshWide.settings, problems)
  const constrained = withBackendTrafficPolicies(index, treated.services, problems)
  const chaos = compileExperiments(index, constrained.services, problems)
  const targeted = new TargetedFilters(index, drafts.services, problems)
  const routed = compileMeshRoutes(index, withStreams(index, constrained.services, streamAttachment), attachment)
  const { gateways, statuses: gatewayStatuses } = compileGateways(index, attachment, streamAttachment, shelf, security)
  const policyStatuses = withGatewayAncestors(index, secured.services, gateways, secured.statuses)
  const told = withTelemetry(
    index,
    scopes,
    meshWide,
    {
      settings: peers.settings,
      workloads: targeted.withWorkloads(withRateLimits(peers.workloads, treated.services)),
      gateways: targeted.withGateways(gateways),
    },
    problems,
  )
  const services = withAuthorization(withGrpcPorts(routed, attachment.grpcPorts), security)
  const statuses = new Map<string, DocumentStatus>()
  for (const document of documents) {
    const status =
      meshWide.statuses.get(document.id) ??
      gatewayStatuses.get(document.id) ??
      policyStatuses.get(document.id) ??
      treated.statuses.get(document.id) ??
      chaos.statuses.get(document.id) ??
      constrained.statuses.get(document.id) ??
      targeted.statuses.get(document.id) ??
      peers.statuses.get(document.id) ??
      told.statuses.get(document.id) ??
      documentStatus(document, attachment, streamAttachment)
    if (status !== undefined) statuses.set(document.id, status)
  }
  return {
    snapshot: {
      revision,
      settings: told.settings,
      workloads: told.workloads,
      services,
      gateways: told.gateways,
      secrets: shelf.toMap(),
      experiments: chaos.experiments,
    },
    problems: problems.toArray(),
    statuses,
  }
}

/** Where a GRPCRoute leads, gRPC is spoken, said or not. */
function withGrpcPorts(
  services: ReadonlyMap<string, MeshService>,
  grpcPorts: ReadonlySet<string>,
): Map<string, MeshService> {
  const learned = ({ host }: MeshService, { protocol, port }: MeshServicePort): boolean =>
    protocol === 'auto' && grpcPorts.has(hostPort(host, port))
  return new Map(
    [...services].map(([host, service]) => {
      if (!service.ports.some((port) => learned(service, port))) return [host, service]
      const ports = service.ports.map((port) =>
        learned(service, port) ? { ...port, protocol: 'grpc' as const } : port,
      )
      return [host, { ...service, ports }]
    }),
  )
}

/** Who may reach what stands outside the mesh. */
function withAuthorization(
  services: ReadonlyMap<string, MeshService>,
  security: SecurityPolicies,
): ReadonlyMap<string, MeshService> {
  return new Map(
    [...services].map(([host, service]) => {
      const authorization = service.external ? security.outbound(service.namespace, service.name) : []
      return [host, authorization.length === 0 ? service : { ...service, authorization }]
    }),
  )
}

/** Undefined for what another controller answers for. */
function documentStatus(
  document: ModelDocument,
  attachment: RouteAttachment,
  streamAttachment: StreamAttachment,
): DocumentStatus | undefined {
  const { kind, spec } = document
  if (kind === 'HTTPRoute' || kind === 'GRPCRoute') return { parents: attachment.parentsOf(document) }
  if (kind === 'TLSRoute' || kind === 'TCPRoute') return { parents: streamAttachment.parentsOf(document) }
  if (kind === 'Gateway')
    return { conditions: [badCondition('Accepted', 'NoMatchingClass', "its class is not one of Heddle's")] }
  if (kind === 'GatewayClass') {
    if (spec.controllerName !== gatewayControllerName) return undefined
    const conditions = [goodCondition('Accepted', 'Heddle serves this class')]
    return { conditions, supportedFeatures: supportedGatewayFeatures }
  }
  // somebody else's mesh
  if (kind === 'XMesh') return undefined
  return { conditions: [goodCondition('Accepted', 'the document is in force')] }
}

// Which kinds there are: group, versions, scope and schema of each; and those that are known but not used.
import { z } from 'zod'

import type { PeerAuthenticationDocumentSpec } from '../../policies/peer-authentication/peer-authentication.spec.ts'
import { namespaceNameSchema, objectNameSchema } from '../../policies/scalars.schema.ts'
import { chaosExperimentFields } from './chaos-experiment-kind.ts'
import type { ChaosExperimentSpec } from './chaos-experiment-kind.ts'
import {
  endpointSliceFields,
  labelsSchema,
  namespaceFields,
  serviceAccountFields,
  serviceFields,
} from './core-kinds.ts'
import type { EndpointSliceSpec, ServiceSpec } from './core-kinds.ts'
import { filterFields } from './filter-kind.ts'
import type { FilterSpec } from './filter-kind.ts'
import { controllerFields, gatewayFields, referenceGrantFields } from './gateway-kinds.ts'
import type { ControllerSpec, GatewaySpec, ReferenceGrantSpec } from './gateway-kinds.ts'
import { externalServiceFields, meshConfigFields, peerAuthenticationFields, workloadFields } from './heddle-kinds.ts'
import type { ExternalServiceSpec, MeshConfigSpec, WorkloadSpec } from './heddle-kinds.ts'
import { checkSecret, configMapFields, secretFields } from './key-kinds.ts'
import type { ConfigMapSpec, SecretSpec } from './key-kinds.ts'
import { backendTlsPolicyFields, backendTrafficPolicyFields, trafficPolicyFields } from './policy-kinds.ts'
import type { BackendTlsPolicySpec, BackendTrafficPolicySpec, TrafficPolicySpec } from './policy-kinds.ts'
import { grpcRouteFields, httpRouteFields } from './route-kinds.ts'
import type { GrpcRouteSpec, HttpRouteSpec } from './route-kinds.ts'
import { scenarioFields } from './scenario-kind.ts'
import type { ScenarioSpec } from './scenario-kind.ts'
import { authorizationPolicyFields, requestAuthenticationFields } from './security-kinds.ts'
import type { AuthorizationPolicyDocument, RequestAuthenticationDocument } from './security-kinds.ts'
import { tcpRouteFields, tlsRouteFields } from './stream-route-kinds.ts'
import type { TcpRouteSpec, TlsRouteSpec } from './stream-route-kinds.ts'
import { telemetryFields } from './telemetry-kind.ts'
import type { TelemetryDocument } from './telemetry-kind.ts'

/** The typed `spec` of each kind. A kind without `spec` (EndpointSlice, Secret) has its own top-level fields there. */
export interface SpecOf {
  Service: ServiceSpec
  Namespace: unknown
  ServiceAccount: unknown
  Secret: SecretSpec
  ConfigMap: ConfigMapSpec
  EndpointSlice: EndpointSliceSpec
  GatewayClass: ControllerSpec
  Gateway: GatewaySpec
  HTTPRoute: HttpRouteSpec
  GRPCRoute: GrpcRouteSpec
  TLSRoute: TlsRouteSpec
  TCPRoute: TcpRouteSpec
  BackendTLSPolicy: BackendTlsPolicySpec
  ReferenceGrant: ReferenceGrantSpec
  XBackendTrafficPolicy: BackendTrafficPolicySpec
  XMesh: ControllerSpec
  Workload: WorkloadSpec
  ExternalService: ExternalServiceSpec
  TrafficPolicy: TrafficPolicySpec
  Filter: FilterSpec
  PeerAuthentication: PeerAuthenticationDocumentSpec
  MeshConfig: MeshConfigSpec
  AuthorizationPolicy: AuthorizationPolicyDocument
  RequestAuthentication: RequestAuthenticationDocument
  Telemetry: TelemetryDocument
  Scenario: ScenarioSpec
  ChaosExperiment: ChaosExperimentSpec
}
export type KindName = keyof SpecOf

export interface KindDefinition {
  readonly group: string
  readonly versions: readonly string[]
  readonly clusterScoped: boolean
  /** The document's fields beside apiVersion, kind, metadata and status. */
  readonly fields: z.ZodRawShape
  /** Rules over the whole document. */
  readonly check?: (ctx: z.core.ParsePayload) => void
}

export const gatewayGroup = 'gateway.networking.k8s.io'
/** Of its experimental kinds. */
const experimentalGroup = 'gateway.networking.x-k8s.io'
export const heddleGroup = 'heddle.dev'

export const kinds: Readonly<Record<KindName, KindDefinition>> = {
  Service: namespaced('', ['v1'], serviceFields),
  Namespace: clusterScoped('', ['v1'], namespaceFields),
  ServiceAccount: namespaced('', ['v1'], serviceAccountFields),
  Secret: { ...namespaced('', ['v1'], secretFields), check: checkSecret },
  ConfigMap: namespaced('', ['v1'], configMapFields),
  EndpointSlice: namespaced('discovery.k8s.io', ['v1'], endpointSliceFields),
  GatewayClass: clusterScoped(gatewayGroup, ['v1', 'v1beta1'], controllerFields),
  Gateway: namespaced(gatewayGroup, ['v1', 'v1beta1'], gatewayFields),
  HTTPRoute: namespaced(gatewayGroup, ['v1', 'v1beta1'], httpRouteFields),
  GRPCRoute: namespaced(gatewayGroup, ['v1', 'v1alpha2'], grpcRouteFields),
  TLSRoute: namespaced(gatewayGroup, ['v1', 'v1alpha3', 'v1alpha2'], tlsRouteFields),
  TCPRoute: namespaced(gatewayGroup, ['v1', 'v1alpha2'], tcpRouteFields),
  BackendTLSPolicy: namespaced(gatewayGroup, ['v1', 'v1alpha3'], backendTlsPolicyFields),
  ReferenceGrant: namespaced(gatewayGroup, ['v1', 'v1beta1', 'v1alpha2'], referenceGrantFields),
  XBackendTrafficPolicy: namespaced(experimentalGroup, ['v1alpha1'], backendTrafficPolicyFields),
  XMesh: clusterScoped(experimentalGroup, ['v1alpha1'], controllerFields),
  Workload: namespaced(heddleGroup, ['v1alpha1'], workloadFields),
  ExternalService: namespaced(heddleGroup, ['v1alpha1'], externalServiceFields),
  TrafficPolicy: namespaced(heddleGroup, ['v1alpha1'], trafficPolicyFields),
  Filter: namespaced(heddleGroup, ['v1alpha1'], filterFields),
  PeerAuthentication: namespaced(heddleGroup, ['v1alpha1'], peerAuthenticationFields),
  MeshConfig: clusterScoped(heddleGroup, ['v1alpha1'], meshConfigFields),
  AuthorizationPolicy: namespaced(heddleGroup, ['v1alpha1'], authorizationPolicyFields),
  RequestAuthentication: namespaced(heddleGroup, ['v1alpha1'], requestAuthenticationFields),
  Telemetry: namespaced(heddleGroup, ['v1alpha1'], telemetryFields),
  Scenario: namespaced(heddleGroup, ['v1alpha1'], scenarioFields),
  ChaosExperiment: namespaced(heddleGroup, ['v1alpha1'], chaosExperimentFields),
}

export const kindNames: readonly KindName[] = Object.keys(kinds) as KindName[]

/** Kubernetes kinds that the mesh has no use for: loaded files may hold them. */
export const ignoredKinds: ReadonlySet<string> = words(
  `
    ClusterRole ClusterRoleBinding CronJob CustomResourceDefinition DaemonSet Deployment Endpoints
    HorizontalPodAutoscaler Ingress IngressClass Job Lease LimitRange MutatingWebhookConfiguration
    NetworkPolicy Node PersistentVolume PersistentVolumeClaim Pod PodDisruptionBudget PodMonitor PriorityClass
    ReplicaSet ReplicationController ResourceQuota Role RoleBinding ServiceMonitor StatefulSet StorageClass
    ValidatingWebhookConfiguration
  `,
)

/** Kinds that configure traffic or security and are not built: leaving one out silently could open a door. */
export const unsupportedKinds: ReadonlySet<string> = words(
  `
    Rollout UDPRoute XListenerSet
  `,
)

function words(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/))
}

function namespaced(group: string, versions: readonly string[], fields: z.ZodRawShape): KindDefinition {
  return { group, versions, clusterScoped: false, fields }
}

function clusterScoped(group: string, versions: readonly string[], fields: z.ZodRawShape): KindDefinition {
  return { group, versions, clusterScoped: true, fields }
}

/** `group/version`, or only the version in the core group. */
export function apiVersionOf(group: string, version: string): string {
  return group === '' ? version : `${group}/${version}`
}

export interface Metadata {
  readonly name: string
  /** Absent in cluster-scoped kinds. */
  readonly namespace?: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /** RFC 3339, as Kubernetes sets it. */
  readonly creationTimestamp?: string
}

const unused = z.unknown().optional()

const metadataFields = {
  name: objectNameSchema,
  labels: labelsSchema.default({}),
  annotations: labelsSchema.default({}),
  creationTimestamp: z.string().exactOptional(),
  deletionGracePeriodSeconds: unused,
  deletionTimestamp: unused,
  finalizers: unused,
  generateName: unused,
  generation: unused,
  managedFields: unused,
  ownerReferences: unused,
  resourceVersion: unused,
  selfLink: unused,
  uid: unused,
}

/** Schema of whole documents of that kind, every default filled in. */
export function documentSchema(kind: KindDefinition): z.ZodType<{ readonly metadata: Metadata }> {
  const namespace = kind.clusterScoped ? {} : { namespace: namespaceNameSchema.default('default') }
  const schema = z.strictObject({
    apiVersion: z.string(),
    kind: z.string(),
    metadata: z.strictObject({ ...metadataFields, ...namespace }),
    status: unused,
    ...kind.fields,
  })
  const checked = kind.check === undefined ? schema : schema.check(kind.check)
  return checked as unknown as z.ZodType<{ readonly metadata: Metadata }>
}

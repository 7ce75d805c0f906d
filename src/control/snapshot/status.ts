// Status conditions as the Gateway API words them (GEP-1364, GEP-1426): per document, and per parent for routes.
import type { ExperimentFigures, ExperimentPhase } from '../chaos/experiment-record.ts'
import type { ParentReference } from '../model/route-kinds.ts'

export const gatewayControllerName = 'heddle.dev/gateway-controller'
export const meshControllerName = 'heddle.dev/mesh-controller'

export interface Condition {
  /** "Accepted", "ResolvedRefs", "Programmed", "Conflicted". */
  readonly type: string
  readonly status: 'True' | 'False'
  /** One word in CamelCase, from the Gateway API where it has one. */
  readonly reason: string
  readonly message: string
}

export interface ParentStatus {
  readonly parentRef: ParentReference
  readonly controllerName: string
  readonly conditions: readonly Condition[]
}

export interface ListenerStatus {
  readonly name: string
  readonly supportedKinds: readonly { readonly group: string; readonly kind: string }[]
  readonly attachedRoutes: number
  readonly conditions: readonly Condition[]
}

/** What a policy means to one thing that it is attached to (GEP-713). */
export interface AncestorStatus {
  readonly ancestorRef: Omit<ParentReference, 'port'>
  readonly controllerName: string
  readonly conditions: readonly Condition[]
}

export interface DocumentStatus {
  readonly conditions?: readonly Condition[]
  /** Policies. */
  readonly ancestors?: readonly AncestorStatus[]
  /** Gateways: where they listen. */
  readonly addresses?: readonly { readonly type: string; readonly value: string }[]
  /** Routes. */
  readonly parents?: readonly ParentStatus[]
  /** Gateways. */
  readonly listeners?: readonly ListenerStatus[]
  /** GatewayClass and XMesh; sorted. */
  readonly supportedFeatures?: readonly { readonly name: string }[]
  /** ChaosExperiments, as the fields below. */
  readonly phase?: ExperimentPhase
  /** RFC 3339: when its faults began, and when it ended. */
  readonly startTime?: string
  readonly endTime?: string
  readonly before?: ExperimentFigures
  readonly during?: ExperimentFigures
}

/** A condition that is as it should be: its reason is its type. */
export function goodCondition(type: string, message: string): Condition {
  return { type, status: 'True', reason: type, message }
}

export function badCondition(type: string, reason: string, message: string): Condition {
  return { type, status: 'False', reason, message }
}

/** First fault of a reference decides the reason of ResolvedRefs. */
export interface ReferenceFault {
  readonly reason:
    | 'BackendNotFound'
    | 'FilterNotFound'
    | 'IncompatibleFilters'
    | 'RefNotPermitted'
    | 'InvalidKind'
    | 'UnsupportedProtocol'
  readonly message: string
}

export function resolvedRefs(fault: ReferenceFault | undefined): Condition {
  if (fault === undefined) return goodCondition('ResolvedRefs', 'every reference leads somewhere')
  return badCondition('ResolvedRefs', fault.reason, fault.message)
}

const meshFeatures = [
  'GRPCRoute',
  'GRPCRouteNamedRouteRule',
  'HTTPRoute',
  'HTTPRoute303RedirectStatusCode',
  'HTTPRoute307RedirectStatusCode',
  'HTTPRoute308RedirectStatusCode',
  'HTTPRouteBackendProtocolH2C',
  'HTTPRouteBackendProtocolWebSocket',
  'HTTPRouteBackendRequestHeaderModification',
  'HTTPRouteBackendTimeout',
  'HTTPRouteCORS',
  'HTTPRouteHostRewrite',
  'HTTPRouteMethodMatching',
  'HTTPRouteNamedRouteRule',
  'HTTPRouteParentRefPort',
  'HTTPRoutePathRedirect',
  'HTTPRoutePathRewrite',
  'HTTPRoutePortRedirect',
  'HTTPRouteQueryParamMatching',
  'HTTPRouteRequestMirror',
  'HTTPRouteRequestMultipleMirrors',
  'HTTPRouteRequestPercentageMirror',
  'HTTPRouteRequestTimeout',
  'HTTPRouteResponseHeaderModification',
  'HTTPRouteSchemeRedirect',
  'ReferenceGrant',
  'TCPRoute',
  'TLSRoute',
]

type Features = NonNullable<DocumentStatus['supportedFeatures']>

function features(names: readonly string[]): Features {
  return names.toSorted().map((name) => ({ name }))
}

/** Names of the Gateway API's feature registry (GEP-2162). */
export const supportedMeshFeatures: Features = features([...meshFeatures, 'Mesh', 'MeshConsumerRoute'])
export const supportedGatewayFeatures: Features = features([
  ...meshFeatures,
  'BackendTLSPolicy',
  'BackendTLSPolicySANValidation',
  'Gateway',
  'GatewayHTTPListenerIsolation',
  'GatewayHTTPSListenerDetectMisdirectedRequests',
  'GatewayPort8080',
  'TLSRouteModeTerminate',
])

// The whole mesh at one revision, immutable, references resolved. What translate reads; built by compile.ts from the typed model.
import type { SourceLocation } from '../../contracts/decision-record.ts'
import type { HealthCheckSpec, ProbeSpec } from '../../contracts/health-check.ts'
import type { Locality } from '../../contracts/locality.ts'
import type { UnixRegistration } from '../../contracts/unix-registration.ts'
import type { AdaptiveConcurrencySpec } from '../../policies/adaptive-concurrency/adaptive-concurrency.spec.ts'
import type { AppliedPolicy } from '../../policies/authorization/authorization.spec.ts'
import type { BackendTlsSpec } from '../../policies/backend-tls/backend-tls.spec.ts'
import type { CallerLimitsSpec, CircuitBreakerSpec } from '../../policies/circuit-breaker/circuit-breaker.spec.ts'
import type { CompressionSpec } from '../../policies/compression/compression.spec.ts'
import type { CorsSpec } from '../../policies/cors/cors.spec.ts'
import type { DirectResponseSpec } from '../../policies/direct-response/direct-response.spec.ts'
import type { ExternalAuthorizationSpec } from '../../policies/external-authorization/external-authorization.spec.ts'
import type { FaultsSpec } from '../../policies/faults/faults.spec.ts'
import type { FederationSpec } from '../../policies/federation/federation.spec.ts'
import type { ForwardedHeadersSpec } from '../../policies/forwarded-headers/forwarded-headers.spec.ts'
import type { HeaderModifierSpec } from '../../policies/header-modifier/header-modifier.spec.ts'
import type { HedgingSpec } from '../../policies/hedging/hedging.spec.ts'
import type {
  HashPolicySpec,
  LoadBalancingSpec,
  LocalityWeightSpec,
  SubsetKeySpec,
} from '../../policies/load-balancing/load-balancing.spec.ts'
import type { MetricsExportSpec } from '../../policies/metrics-export/metrics-export.spec.ts'
import type { OutlierDetectionSpec } from '../../policies/outlier-detection/outlier-detection.spec.ts'
import type { PathNormalizationSpec } from '../../policies/path-normalization/path-normalization.spec.ts'
import type { PeerAuthenticationMode } from '../../policies/peer-authentication/peer-authentication.spec.ts'
import type {
  GlobalRateLimitSpec,
  LocalRateLimitSpec,
  RateLimitServerSpec,
} from '../../policies/rate-limit/rate-limit.spec.ts'
import type { RedactionSpec } from '../../policies/redaction/redaction.spec.ts'
import type { RedirectSpec } from '../../policies/redirect/redirect.spec.ts'
import type { RetryConstraintSpec, RetrySpec } from '../../policies/retries/retries.spec.ts'
import type { RewriteSpec } from '../../policies/rewrite/rewrite.spec.ts'
import type { RouteMatchSpec } from '../../policies/route-match/route-match.spec.ts'
import type { SessionPersistenceSpec } from '../../policies/session-persistence/session-persistence.spec.ts'
import type { TelemetrySpec } from '../../policies/telemetry/telemetry.spec.ts'
import type { TimeoutsSpec } from '../../policies/timeouts/timeouts.spec.ts'
import type { TransformationSpec } from '../../policies/transformation/transformation.spec.ts'
import type { TypescriptFilterSpec } from '../../policies/typescript-filter/typescript-filter.spec.ts'
import type { MeshSecret } from './secrets.ts'
import type { AppliedSecurity } from './security.ts'

export interface MeshSnapshot {
  readonly revision: string
  readonly settings: MeshSettings
  /** By "namespace/name". */
  readonly workloads: ReadonlyMap<string, MeshWorkload>
  /** By host: "reviews.default.svc.cluster.local", or an ExternalService's own host. */
  readonly services: ReadonlyMap<string, MeshService>
  readonly gateways: ReadonlyMap<string, MeshGateway>
  /** By the name under which proxies ask for them: those that something in this snapshot refers to. */
  readonly secrets: ReadonlyMap<string, MeshSecret>
  /** By document id. */
  readonly experiments: ReadonlyMap<string, MeshExperiment>
}

/** By Telemetry documents. */
export interface MeshTelemetry extends TelemetrySpec {
  /** The widest scope first. */
  readonly sources: readonly SourceLocation[]
}

/** Its telemetry is that of all workloads and gateways without one of their own. */
export interface MeshSettings extends TelemetrySpec {
  /** Absent: the MeshConfig says it. */
  readonly telemetrySources?: MeshTelemetry['sources']
  readonly trustDomain: string
  readonly trustDomainAliases: readonly string[]
  /** Absent: no other trust domain is trusted, and our bundle is served nowhere. Files are absolute where the document came from a file. */
  readonly federation?: FederationSpec
  /** Servers that policies with action CUSTOM ask, by name. */
  readonly authorizationServers: ReadonlyMap<string, ExternalAuthorizationSpec>
  /** Servers that count for TrafficPolicies, by name. */
  readonly rateLimitServers: ReadonlyMap<string, RateLimitServerSpec>
  /** Where no policy with action ALLOW applies. */
  readonly authorizationDefault: 'ALLOW' | 'DENY'
  readonly peerAuthentication: PeerAuthenticationMode
  readonly outboundTrafficPolicy: 'allowAny' | 'registryOnly'
  /** Absent: by default. */
  readonly outboundTrafficPolicySource?: SourceLocation
  /** Lifetime of X.509-SVIDs. */
  readonly svidLifetimeMs: number
  /** Whether requests in HTTP/1.1 travel as HTTP/2 between proxies. */
  readonly h2UpgradePolicy: 'UPGRADE' | 'DO_NOT_UPGRADE'
  /** Absent: metrics are pushed to nobody, and have no exponential buckets. */
  readonly metricsExport?: MetricsExportSpec
  /** Node applications carry traces on by themselves. */
  readonly preloadsPropagation?: true
  readonly paths: PathNormalizationSpec
  /** Absent: nothing but what sounds like a credential. */
  readonly redaction?: RedactionSpec
  /** By where a proxy stands. */
  readonly forwardedHeaders: { readonly gateway: ForwardedHeadersSpec; readonly sidecar: ForwardedHeadersSpec }
}

export interface MeshWorkload {
  readonly namespace: string
  readonly name: string
  readonly serviceAccount: string
  readonly labels: Readonly<Record<string, string>>
  /** Where the application listens. */
  readonly address: string
  readonly ports: readonly MeshWorkloadPort[]
  readonly weight: number
  readonly locality?: Locality
  /** What `up` starts; absent when something else does. */
  readonly command?: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly workingDirectory?: string
  /** Which processes its Workload API serves. */
  readonly unix?: UnixRegistration
  /** Absent: it is ready when its ports accept connections. */
  readonly readiness?: ProbeSpec
  /** When `up` is to start it again. Absent: when it ends. */
  readonly liveness?: ProbeSpec
  /** Hosts and ports of the Services with a loopback listener: those of its namespace and those that `spec.uses` names. */
  readonly uses: readonly { readonly host: string; readonly port: number }[]
  readonly security: AppliedSecurity
  /** Absent: the mesh's. */
  readonly telemetry?: MeshTelemetry
  readonly source: SourceLocation
}

export interface MeshWorkloadPort {
  readonly name: string
  readonly port: number
  /** As the Workload declares it, else as the Services that lead there do. */
  readonly protocol: PortProtocol
  /** Absent: the mesh's. */
  readonly peerAuthentication?: PeerAuthenticationMode
  /** Of all policies for Services that lead there, each in turn. */
  readonly rateLimits?: MeshRateLimits
  /** Of Filters for Services that lead there, in the order in which requests pass them. */
  readonly filters?: readonly MeshFilter[]
}

/** What a request passes on its way and its response on the way back. `name`: "Filter/default/tenant". */
export type MeshFilter = { readonly name: string; readonly source: SourceLocation } & (
  | { readonly kind: 'typescript'; readonly spec: TypescriptFilterSpec }
  | { readonly kind: 'transformation'; readonly spec: TransformationSpec }
  | { readonly kind: 'compression'; readonly spec: CompressionSpec }
)

/**
 * What is spoken on a port. `http`: HTTP/1.1. `grpc` is HTTP/2 too. `tcp`: bytes. `tls`: the application's own TLS, which passes through.
 * `auto`: not declared, found out on each connection.
 */
export type PortProtocol = 'http' | 'http2' | 'grpc' | 'tcp' | 'tls' | 'auto'

export interface MeshService {
  readonly host: string
  readonly namespace: string
  readonly name: string
  readonly external: boolean
  readonly ports: readonly MeshServicePort[]
  /** Of an ExternalService: the policies on who may reach it. Absent: none. */
  readonly authorization?: readonly AppliedPolicy[]
  readonly source: SourceLocation
}

export interface MeshServicePort {
  readonly name: string
  readonly port: number
  readonly protocol: PortProtocol
  /** The workloads behind it, with the application port that targetPort names; sorted. */
  readonly endpoints: readonly MeshEndpoint[]
  /** Producer routes: for every caller. In order of precedence, already merged over all routes. */
  readonly routes: readonly MeshRoute[]
  /** By the caller's namespace: replaces `routes` for those callers. */
  readonly consumerRoutes: ReadonlyMap<string, readonly MeshRoute[]>
  /** Where connections go that are not looked into: of TLSRoutes and TCPRoutes. Empty: to the port's own endpoints. */
  readonly streams: readonly MeshStream[]
  /** By the caller's namespace: replaces `streams` for those callers. */
  readonly consumerStreams: ReadonlyMap<string, readonly MeshStream[]>
  /** Towards endpoints outside the mesh. */
  readonly originateTls?: BackendTlsSpec
  /** Endpoints outside the mesh take mutual TLS with the certificate of whoever calls, and show one of these SPIFFE IDs. */
  readonly peerSpiffeIds?: readonly string[]
  /** What a TrafficPolicy says; absent: nothing. */
  readonly traffic?: MeshTraffic
}

/** How callers treat a port. Absent: as everywhere. */
export interface MeshTraffic {
  readonly connectTimeoutMs?: number
  readonly loadBalancing?: LoadBalancingSpec
  /** What of a request decides, with a load balancing that hashes. */
  readonly hashPolicies?: readonly HashPolicySpec[]
  /** Of places, with locality `weighted`. */
  readonly localityWeights?: readonly LocalityWeightSpec[]
  /** What of a request decides, with subsets. */
  readonly subsetKeys?: readonly SubsetKeySpec[]
  readonly circuitBreaker?: CircuitBreakerSpec
  readonly outlierDetection?: OutlierDetectionSpec
  readonly healthCheck?: HealthCheckSpec
  readonly retryConstraint?: RetryConstraintSpec
  /** `off`: none. */
  readonly hedging?: HedgingSpec | 'off'
  /** Of routes that have none of their own. */
  readonly retry?: RetrySpec
  readonly timeouts?: TimeoutsSpec
  /** Of routes that have none of their own, and lead nowhere else. */
  readonly sessionPersistence?: SessionPersistenceSpec
  /** What of a request decides, with a route that has it among several backends. */
  readonly stickySplit?: readonly HashPolicySpec[]
  /** In the sidecars of the workloads behind it. */
  readonly adaptiveConcurrency?: AdaptiveConcurrencySpec
  /** In the same. */
  readonly callerLimits?: CallerLimitsSpec
  readonly faults?: MeshFaults
  /** At the proxies of its workloads. */
  readonly rateLimits?: MeshRateLimits
}

export interface MeshRateLimits {
  readonly local: readonly LocalRateLimitSpec[]
  /** Ten at the most: each has a stage of its own. */
  readonly global: readonly GlobalRateLimitSpec[]
}

export interface MeshFaults {
  readonly spec: FaultsSpec
  /** Who suffers them; absent: every caller. */
  readonly callers?: readonly { readonly namespace: string; readonly serviceAccount?: string }[]
}

/** A ChaosExperiment, whether it is at work or not. */
export interface MeshExperiment {
  readonly namespace: string
  readonly name: string
  /** Of what the document says, but for `suspend`. */
  readonly version: string
  /** "host:port" of those whose callers suffer. Empty: the document is not accepted. */
  readonly targets: readonly string[]
  readonly faults: MeshFaults
  /** The Service whose callers are to bear it. */
  readonly judged: { readonly namespace: string; readonly name: string }
  readonly hypothesis: {
    /** At least. */
    readonly successRatePercent?: number
    /** At most. */
    readonly p99Ms?: number
    readonly windowMs: number
    readonly minRequests: number
  }
  readonly steadyStateMs: number
  readonly durationMs: number
  readonly startTimeMs?: number
  readonly suspend: boolean
}

/** What a connection is sent to, by SNI or whatever it carries. The first that fits serves. */
export interface MeshStream {
  readonly name: string
  readonly source: SourceLocation
  /** SNI: "a.example", "*.example", "*" for any TLS. Empty: any connection. Each occurs once in a list of streams. */
  readonly hostnames: readonly string[]
  /** One without `host` is an invalid reference: its share of the connections is closed. */
  readonly backends: readonly { readonly host?: string; readonly port: number; readonly weight: number }[]
}

/**
 * A workload of the mesh (reached through its sidecar), or a plain address (ExternalService, EndpointSlice without a workload). `draining`: it
 * goes on only with what is bound to it.
 */
export type MeshEndpoint =
  | {
      readonly kind: 'workload'
      readonly workload: string
      readonly port: number
      readonly weight: number
      readonly draining?: true
    }
  | {
      readonly kind: 'address'
      readonly host: string
      readonly port: number
      readonly weight: number
      readonly dns: boolean
      readonly draining?: true
    }

/** One match of one rule. Its order among others is decided (Gateway API precedence). */
export interface MeshRoute {
  readonly name: string
  readonly source: SourceLocation
  readonly match: RouteMatchSpec
  readonly requestHeaders?: HeaderModifierSpec
  readonly responseHeaders?: HeaderModifierSpec
  readonly cors?: CorsSpec
  /** In the order in which requests pass them. */
  readonly filters?: readonly MeshFilter[]
  readonly action: MeshRouteAction
}

export type MeshRouteAction =
  | { readonly kind: 'redirect'; readonly redirect: RedirectSpec }
  | { readonly kind: 'respond'; readonly response: DirectResponseSpec }
  | {
      readonly kind: 'forward'
      readonly backends: readonly MeshBackend[]
      readonly rewrite?: RewriteSpec
      readonly mirrors: readonly {
        readonly host: string
        readonly port: number
        readonly numerator: number
        readonly denominator: number
      }[]
      readonly timeouts: TimeoutsSpec
      readonly retry?: RetrySpec
      readonly sessionPersistence?: SessionPersistenceSpec
      /** What the share of an invalid backend is answered with; absent: 500. */
      readonly invalidBackendStatus?: 503
    }
  /** Every backend is invalid, or a filter: the Gateway API asks for 500, and for UNAVAILABLE in a GRPCRoute. */
  | { readonly kind: 'invalid'; readonly status: 500 | 503 }

/** A backend without `host` is an invalid reference: its share of the requests is answered with `invalidBackendStatus`. */
export interface MeshBackend {
  readonly host?: string
  readonly port: number
  readonly weight: number
  readonly requestHeaders?: HeaderModifierSpec
  readonly responseHeaders?: HeaderModifierSpec
}

export interface MeshGateway {
  readonly namespace: string
  readonly name: string
  /** The IP address that all its listeners have. */
  readonly address: string
  readonly listeners: readonly MeshListener[]
  readonly security: AppliedSecurity
  /** Absent: the mesh's. */
  readonly telemetry?: MeshTelemetry
  /** Of all its requests, in the order in which they pass them. */
  readonly filters?: readonly MeshFilter[]
  readonly source: SourceLocation
}

export interface MeshListener {
  readonly name: string
  readonly port: number
  readonly protocol: 'HTTP' | 'HTTPS' | 'TLS' | 'TCP'
  readonly hostname?: string
  /** Names of secrets; with any, TLS ends here. Those that are usable, in the order given. */
  readonly certificates: readonly string[]
  /** HTTP and HTTPS. By hostname, "*" for any; routes in order of precedence. */
  readonly virtualHosts: readonly { readonly hostname: string; readonly routes: readonly MeshRoute[] }[]
  /** TLS and TCP. */
  readonly streams: readonly MeshStream[]
}

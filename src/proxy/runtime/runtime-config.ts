// The configuration a proxy runs: plain immutable data decoded from xDS, swapped whole. Compiled forms live beside it in Runtime.
import type { SourceLocation } from '../../contracts/decision-record.ts'
import type { HealthCheckSpec } from '../../contracts/health-check.ts'
import type { Locality } from '../../contracts/locality.ts'
import type { AccessLogSpec } from '../../policies/access-log/access-log.spec.ts'
import type { AdaptiveConcurrencySpec } from '../../policies/adaptive-concurrency/adaptive-concurrency.spec.ts'
import type { RbacFilterSpec, RbacRules } from '../../policies/authorization/authorization.spec.ts'
import type { CallerLimitsSpec, CircuitBreakerSpec } from '../../policies/circuit-breaker/circuit-breaker.spec.ts'
import type { CompressionSpec } from '../../policies/compression/compression.spec.ts'
import type { CorsSpec } from '../../policies/cors/cors.spec.ts'
import type { DirectResponseSpec } from '../../policies/direct-response/direct-response.spec.ts'
import type { ExternalAuthorizationSpec } from '../../policies/external-authorization/external-authorization.spec.ts'
import type { FaultsSpec } from '../../policies/faults/faults.spec.ts'
import type { ForwardedHeadersSpec } from '../../policies/forwarded-headers/forwarded-headers.spec.ts'
import type { HeaderModifierSpec } from '../../policies/header-modifier/header-modifier.spec.ts'
import type { HedgingSpec } from '../../policies/hedging/hedging.spec.ts'
import type { HttpProtocol, KeepAliveSpec } from '../../policies/http-protocol/http-protocol.spec.ts'
import type {
  HashPolicySpec,
  LoadBalancingSpec,
  SubsetKeySpec,
} from '../../policies/load-balancing/load-balancing.spec.ts'
import type { MetricsExportSpec } from '../../policies/metrics-export/metrics-export.spec.ts'
import type { MirrorSpec } from '../../policies/mirror/mirror.spec.ts'
import type { OutlierDetectionSpec } from '../../policies/outlier-detection/outlier-detection.spec.ts'
import type { PathNormalizationSpec } from '../../policies/path-normalization/path-normalization.spec.ts'
import type { GlobalRateLimitSpec, LocalRateLimitSpec } from '../../policies/rate-limit/rate-limit.spec.ts'
import type { RedactionSpec } from '../../policies/redaction/redaction.spec.ts'
import type { RedirectSpec } from '../../policies/redirect/redirect.spec.ts'
import type { RequestAuthenticationSpec } from '../../policies/request-authentication/request-authentication.spec.ts'
import type { RetryConstraintSpec, RetrySpec } from '../../policies/retries/retries.spec.ts'
import type { RewriteSpec } from '../../policies/rewrite/rewrite.spec.ts'
import type { RouteMatchSpec } from '../../policies/route-match/route-match.spec.ts'
import type { SessionPersistenceSpec } from '../../policies/session-persistence/session-persistence.spec.ts'
import type { MutedSpec } from '../../policies/telemetry/telemetry.spec.ts'
import type { TimeoutsSpec } from '../../policies/timeouts/timeouts.spec.ts'
import type { TracingSpec } from '../../policies/tracing/tracing.spec.ts'
import type { TransformationSpec } from '../../policies/transformation/transformation.spec.ts'
import type { TypescriptFilterSpec } from '../../policies/typescript-filter/typescript-filter.spec.ts'

export interface RuntimeConfig {
  /** Revision of the snapshot that the newest resource came from. */
  readonly revision: string
  readonly listeners: ReadonlyMap<string, ListenerConfig>
  readonly routeConfigurations: ReadonlyMap<string, RouteConfiguration>
  readonly clusters: ReadonlyMap<string, ClusterConfig>
  /**
   * Certificates and roots by name (SDS). One that is named and is not here does not exist: a chain without any certificate refuses its
   * connections, and a cluster without its roots is not dialled.
   */
  readonly secrets: ReadonlyMap<string, SecretConfig>
}

export type SecretConfig =
  | { readonly kind: 'certificate'; readonly certificateChainPem: string; readonly privateKeyPem: string }
  | { readonly kind: 'roots'; readonly rootsPem: string }

export interface ListenerConfig {
  readonly name: string
  readonly direction: 'inbound' | 'outbound' | 'gateway'
  readonly host: string
  readonly port: number
  /** What is looked at before a chain is chosen. Neither: the first chain serves at once, as servers that speak first need. */
  readonly inspect: { readonly tls: boolean; readonly http: boolean }
  /** How long to wait for bytes that tell the protocol; the chain for unknown protocols serves then. Infinity: as long as it takes. */
  readonly detectTimeoutMs: number
  /** The most specific that fits serves the connection (Envoy's FilterChainMatch order: server names, transport, application protocols). */
  readonly filterChains: readonly FilterChainConfig[]
  /** Of the whole proxy: every listener says the same. Absent: its metrics are pushed to nobody. */
  readonly metricsExport?: MetricsExportSpec
}

export interface FilterChainConfig {
  readonly name: string
  readonly match: FilterChainMatch
  /** Present exactly when the connection is to be secured: `match.transport` is `tls` then. TLS without it passes through, chosen by SNI. */
  readonly tls?: DownstreamTls
  readonly filter: HttpConnectionManagerConfig | TcpProxyConfig
}

export interface FilterChainMatch {
  /** `any` also takes TLS as opaque bytes. */
  readonly transport: 'tls' | 'plaintext' | 'any'
  /** SNI: exact, "*.suffix", or none for all. Lower case. */
  readonly serverNames: readonly string[]
  /** Of plaintext what detection found: "http/1.1", "h2c". Of TLS what the client offers by ALPN. None: all, and what was not recognised. */
  readonly applicationProtocols: readonly string[]
}

export type DownstreamTls =
  /** With the proxy's own SVID and the trust bundle. */
  | { readonly kind: 'mesh'; readonly requireClientCertificate: boolean; readonly alpn: readonly string[] }
  /** With certificates given by name (SDS); the first that is for the SNI, else the first. */
  | { readonly kind: 'terminate'; readonly secrets: readonly string[]; readonly alpn: readonly string[] }

export interface HttpConnectionManagerConfig {
  readonly kind: 'http'
  readonly routes: RouteSource
  /** Absent: `defaultPaths`. */
  readonly paths?: PathNormalizationSpec
  /** How long nothing of a request may move; Infinity: for ever. Absent: `defaultStreamIdleTimeoutMs`. */
  readonly streamIdleTimeoutMs?: number | undefined
  /** Absent: `defaultForwarding` of the listener's direction. */
  readonly forwarding?: ForwardedHeadersSpec
  /** Absent: no line. */
  readonly accessLog?: AccessLogSpec
  /** Absent: its requests leave no spans. */
  readonly tracing?: TracingSpec
  /** Absent: everything is told. */
  readonly muted?: MutedSpec
  /** Absent: nothing but what sounds like a credential. */
  readonly redaction?: RedactionSpec
  /** What a request passes before it is routed, in this order. */
  readonly filters?: readonly HttpFilterConfig[]
  /** Once these filters are in force, what is open is asked again. */
  readonly reauthorize?: true
}

export type HttpFilterConfig =
  | DocumentFilterConfig
  | { readonly kind: 'request-authentication'; readonly spec: RequestAuthenticationSpec }
  | { readonly kind: 'authorization'; readonly spec: RbacFilterSpec }
  | { readonly kind: 'local-rate-limit'; readonly spec: LocalRateLimitSpec }
  | { readonly kind: 'global-rate-limit'; readonly spec: GlobalRateLimitSpec }
  /** `asked`: about which requests, those that one of these rules matches; absent: about all. */
  | {
      readonly kind: 'external-authorization'
      readonly spec: ExternalAuthorizationSpec
      readonly asked?: RbacRules
    }

/** What Filter documents say, for a listener or a route. */
export type DocumentFilterConfig =
  | { readonly kind: 'transformation'; readonly spec: TransformationSpec }
  | { readonly kind: 'typescript'; readonly spec: TypescriptFilterSpec }
  /** Comes last on the way back, wherever it stands. */
  | { readonly kind: 'compression'; readonly spec: CompressionSpec }

/** Bytes both ways to one of the backends. */
export interface TcpProxyConfig {
  readonly kind: 'tcp'
  /** A cluster of '' is nobody: its share of the connections is closed. */
  readonly backends: readonly { readonly cluster: string; readonly weight: number }[]
  /** Route it came from: "TCPRoute/default/mysql/0", "default", or the listener's name for what no route speaks of. */
  readonly route: string
  readonly source?: SourceLocation
  /** Absent: everything is told. */
  readonly muted?: MutedSpec
  /** What a connection passes before it is carried. */
  readonly authorization?: readonly RbacFilterSpec[]
  /** Once these rules are in force, what is open is asked again. */
  readonly reauthorize?: true
}

export type RouteSource =
  | { readonly kind: 'rds'; readonly name: string }
  | { readonly kind: 'inline'; readonly routeConfiguration: RouteConfiguration }
  | {
      readonly kind: 'forward-proxy'
      readonly searchDomains: readonly string[]
      readonly allowAny: boolean
      /** Where `allowAny` was written; absent: it is the default. */
      readonly source?: SourceLocation
    }

export interface RouteConfiguration {
  readonly name: string
  readonly virtualHosts: readonly VirtualHost[]
}

export interface VirtualHost {
  readonly name: string
  /** Lower case, no port: "a.example", "*.example", "*". Longest wins, exact before suffix before "*". */
  readonly domains: readonly string[]
  /** In order of precedence: the first match wins. */
  readonly routes: readonly Route[]
  /** What is decided about connections of bytes inside CONNECT, which no route sees. */
  readonly tunnelAuthorization?: readonly RbacFilterSpec[]
}

export interface Route {
  /** "HTTPRoute/default/reviews/canary/0", or "default" for a Service without routes. */
  readonly name: string
  readonly source?: SourceLocation
  readonly match: RouteMatchSpec
  readonly action: RouteAction
  readonly requestHeaders?: HeaderModifierSpec
  readonly responseHeaders?: HeaderModifierSpec
  readonly cors?: CorsSpec
  /** What its requests pass, in this order. */
  readonly filters?: readonly DocumentFilterConfig[]
}

export type RouteAction =
  | ForwardAction
  | { readonly kind: 'redirect'; readonly redirect: RedirectSpec }
  | ({ readonly kind: 'direct-response' } & Pick<DirectResponseSpec, 'status' | 'body'>)

export interface ForwardAction {
  readonly kind: 'forward'
  readonly backends: readonly Backend[]
  readonly rewrite?: RewriteSpec
  readonly mirrors: readonly MirrorSpec[]
  readonly timeouts: TimeoutsSpec
  readonly retry?: RetrySpec
  readonly sessionPersistence?: SessionPersistenceSpec
  /** What decides where within a cluster that hashes; absent: nothing. */
  readonly hashPolicies?: readonly HashPolicySpec[]
  /** What decides which of the backends; absent, and where a request has none of it: chance. */
  readonly stickySplit?: readonly HashPolicySpec[]
  /** What the share of a backend without a cluster is answered with; absent: 500. */
  readonly invalidBackendStatus?: 503
}

export interface Backend {
  readonly cluster: string
  readonly weight: number
  readonly requestHeaders?: HeaderModifierSpec
  readonly responseHeaders?: HeaderModifierSpec
  /** What is decided about each request that goes there. */
  readonly authorization?: readonly RbacFilterSpec[]
  readonly faults?: FaultsSpec
  /** What decides which of its endpoints serve; absent: nothing. */
  readonly subsetKeys?: readonly SubsetKeySpec[]
}

export interface ClusterConfig {
  readonly name: string
  /** What telemetry calls it: "reviews.default.svc.cluster.local"; absent for inbound clusters. */
  readonly service?: { readonly namespace: string; readonly name: string }
  /** What comes for it besides HTTP: `bytes` are never looked into, `undeclared` on every connection. Absent: nothing. */
  readonly carries?: 'bytes' | 'undeclared'
  readonly connectTimeoutMs: number
  readonly loadBalancing: LoadBalancingSpec
  readonly circuitBreaker: CircuitBreakerSpec
  /** Of each caller of the application behind a sidecar. Absent: none. */
  readonly callerLimits?: CallerLimitsSpec
  /** Of the application behind a sidecar. Absent: none. */
  readonly adaptiveConcurrency?: AdaptiveConcurrencySpec
  /** Absent: none. */
  readonly outlierDetection?: OutlierDetectionSpec
  /** Absent: endpoints are not asked. */
  readonly healthCheck?: HealthCheckSpec
  readonly retryConstraint: RetryConstraintSpec
  /** Absent: none. */
  readonly hedging?: HedgingSpec
  /** Of routes here that have none of their own. Absent: nothing. */
  readonly routeDefaults?: Pick<ForwardAction, 'timeouts' | 'retry'>
  readonly httpProtocol: HttpProtocol
  /** Of HTTP/2 connections on which nothing is heard. Absent: as is usual for the peer. */
  readonly keepAlive?: KeepAliveSpec
  /** TLS towards endpoints outside the mesh. */
  readonly originateTls?: {
    readonly serverName: string
    readonly subjectAltNames: readonly string[]
    /** Name of a secret with the roots; absent: those that the runtime ships. */
    readonly rootsSecret?: string
  }
  /** Mutual TLS towards endpoints whose `tls` is true: the peer's SPIFFE ID must be one of these. */
  readonly peerSpiffeIds: readonly string[]
  /** What is offered to those endpoints by ALPN, most wanted first. */
  readonly peerAlpn: readonly string[]
  /** `dns` resolves the endpoints' hosts while in use. */
  readonly discovery: 'eds' | 'static' | 'dns'
  readonly endpoints: readonly EndpointConfig[]
}

export interface EndpointConfig {
  readonly host: string
  readonly port: number
  readonly weight: number
  readonly tls: boolean
  readonly locality?: Locality
  /** Of the locality among others, for those who spread by it. Absent: not told. */
  readonly localityWeight?: number
  /** By which requests may choose it. Absent: none. */
  readonly labels?: Readonly<Record<string, string>>
  /** 0, the most wanted, when absent. */
  readonly priority?: number
  /** As the control plane says it. `draining`: it goes on only with what is bound to it. Absent: as is found out here. */
  readonly health?: 'draining' | 'unhealthy'
  /** False: by health checks, never. */
  readonly asked?: false
  /** The workload behind it, for telemetry. */
  readonly workload?: { readonly namespace: string; readonly name: string }
}

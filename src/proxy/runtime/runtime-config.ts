// The configuration a proxy runs: plain immutable data decoded from xDS, swapped whole. Compiled forms live beside it in Runtime.
import type { SourceLocation } from '../../contracts/decision-record.ts'
import type { CorsSpec } from '../../policies/cors/cors.spec.ts'
import type { HeaderModifierSpec } from '../../policies/header-modifier/header-modifier.spec.ts'
import type { LoadBalancingSpec } from '../../policies/load-balancing/load-balancing.spec.ts'
import type { MirrorSpec } from '../../policies/mirror/mirror.spec.ts'
import type { RedirectSpec } from '../../policies/redirect/redirect.spec.ts'
import type { RetryBudgetSpec, RetrySpec } from '../../policies/retries/retries.spec.ts'
import type { RewriteSpec } from '../../policies/rewrite/rewrite.spec.ts'
import type { RouteMatchSpec } from '../../policies/route-match/route-match.spec.ts'
import type { TimeoutsSpec } from '../../policies/timeouts/timeouts.spec.ts'

export interface RuntimeConfig {
  /** Revision of the snapshot that the newest resource came from. */
  readonly revision: string
  readonly listeners: ReadonlyMap<string, ListenerConfig>
  readonly routeConfigurations: ReadonlyMap<string, RouteConfiguration>
  readonly clusters: ReadonlyMap<string, ClusterConfig>
}

export interface ListenerConfig {
  readonly name: string
  readonly direction: 'inbound' | 'outbound' | 'gateway'
  readonly host: string
  readonly port: number
  /** The first chain that fits the detected transport serves the connection; none: it is closed. */
  readonly filterChains: readonly FilterChainConfig[]
}

export interface FilterChainConfig {
  readonly transport: 'tls' | 'plaintext'
  /** Present exactly when `transport` is `tls`: mutual TLS with the proxy's own SVID. */
  readonly tls?: { readonly requireClientCertificate: boolean }
  readonly http: HttpConnectionManagerConfig
}

export interface HttpConnectionManagerConfig {
  /** Service this listener stands for in telemetry; absent on the forward proxy and on gateways. */
  readonly routes: RouteSource
}

export type RouteSource =
  | { readonly kind: 'rds'; readonly name: string }
  | { readonly kind: 'inline'; readonly routeConfiguration: RouteConfiguration }
  | { readonly kind: 'forward-proxy'; readonly searchDomains: readonly string[]; readonly allowAny: boolean }

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
}

export type RouteAction =
  | ForwardAction
  | { readonly kind: 'redirect'; readonly redirect: RedirectSpec }
  | { readonly kind: 'direct-response'; readonly status: number; readonly body?: string }

export interface ForwardAction {
  readonly kind: 'forward'
  readonly backends: readonly Backend[]
  readonly rewrite?: RewriteSpec
  readonly mirrors: readonly MirrorSpec[]
  readonly timeouts: TimeoutsSpec
  readonly retry?: RetrySpec
}

export interface Backend {
  readonly cluster: string
  readonly weight: number
  readonly requestHeaders?: HeaderModifierSpec
  readonly responseHeaders?: HeaderModifierSpec
}

export interface ClusterConfig {
  readonly name: string
  /** What telemetry calls it: "reviews.default.svc.cluster.local"; absent for inbound clusters. */
  readonly service?: { readonly namespace: string; readonly name: string }
  readonly connectTimeoutMs: number
  readonly loadBalancing: LoadBalancingSpec
  readonly retryBudget: RetryBudgetSpec
  /** Mutual TLS towards endpoints whose `tls` is true: the peer's SPIFFE ID must be one of these. */
  readonly peerSpiffeIds: readonly string[]
  /** `dns` resolves the endpoints' hosts while in use. */
  readonly discovery: 'eds' | 'static' | 'dns'
  readonly endpoints: readonly EndpointConfig[]
}

export interface EndpointConfig {
  readonly host: string
  readonly port: number
  readonly weight: number
  readonly tls: boolean
  /** The workload behind it, for telemetry. */
  readonly workload?: { readonly namespace: string; readonly name: string }
}

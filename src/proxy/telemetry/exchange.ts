// The facts of one request as the request line gathers them: one fixed-shape object, written in place. Sinks read it when it is finished;
// a DecisionRecord is made from it only when somebody asks.
import type {
  AttemptRecord,
  AuthorizationRecord,
  DecisionRecord,
  FilterRecord,
  RateLimitRecord,
  ResponseFlag,
} from '../../contracts/decision-record.ts'
import type { RateLimitCounter } from '../../contracts/http-filter.ts'
import type { RequestHead } from '../../contracts/http-message.ts'
import type { AccessLogSpec } from '../../policies/access-log/access-log.spec.ts'
import type { AdaptiveConcurrencyLimit } from '../../policies/adaptive-concurrency/adaptive-concurrency.runtime.ts'
import type { CallerLimit } from '../../policies/circuit-breaker/caller-limits.runtime.ts'
import type { CircuitBreakerLimit } from '../../policies/circuit-breaker/circuit-breaker.runtime.ts'
import type { ComparedAnswers } from '../../policies/mirror/mirror-comparison.runtime.ts'
import type { EjectionReason } from '../../policies/outlier-detection/outlier-detection.spec.ts'
import type { MutedSpec } from '../../policies/telemetry/telemetry.spec.ts'
import type { TraceContext } from '../../policies/tracing/trace-context.runtime.ts'
import type { TraceCollectorSpec, TracingSpec } from '../../policies/tracing/tracing.spec.ts'
import type { FilterMeter } from '../../policies/typescript-filter/running-filter.runtime.ts'
import type { Route } from '../runtime/runtime-config.ts'
import type { BatchResult } from './otlp-batches.ts'

export interface Exchange {
  startMonotonicMs: number
  durationMs: number
  reporter: 'source' | 'destination' | 'gateway'
  listener: string
  /** As received, before any rewriting. */
  request: RequestHead
  protocol: string
  requestBytes: number
  responseBytes: number
  readonly source: { readonly remoteAddress: string; readonly remotePort: number }
  sourcePrincipal: string | undefined
  mtls: boolean
  revision: string
  authorization: AuthorizationRecord | undefined
  /** Why it was not let out to where it was meant to go. */
  egressRefused: 'policy' | 'not_registered' | undefined
  rateLimit: RateLimitRecord | undefined
  /** Where a TypeScript filter did something. */
  filters: readonly FilterRecord[] | undefined
  metadata: DecisionRecord['metadata']
  routeConfiguration: string | undefined
  virtualHost: string | undefined
  route: Pick<Route, 'name' | 'source'> | undefined
  split: { readonly drawn: number; readonly total: number; readonly cluster: string } | undefined
  cluster: string | undefined
  destinationService: string | undefined
  /** "namespace/name". */
  destinationWorkload: string | undefined
  destinationPrincipal: string | undefined
  destinationAddress: string | undefined
  attempts: AttemptRecord[]
  /** 0 when no response head was sent. */
  status: number
  /** Of a gRPC exchange. */
  grpcStatus: number | undefined
  flags: ResponseFlag[]
  detail: string | undefined
  /** Of the filter chain that serves it; undefined: no line. */
  accessLog: AccessLogSpec | undefined
  /** Of the same; undefined: everything is told. */
  muted: MutedSpec | undefined
  /** Undefined: it leaves no spans. */
  traced: TracedExchange | undefined
}

export interface TracedExchange {
  readonly context: TraceContext
  readonly collector: TraceCollectorSpec
  /** Of its spans, beside those that all have. */
  readonly attributes?: TracingSpec['attributes']
}

/** Who the proxy speaks for in telemetry. */
export interface TelemetryIdentity {
  /** "namespace/name". */
  readonly workload: string
  readonly spiffeId: string
}

export interface ExchangeSink {
  finished(exchange: Exchange): void
}

/** What the request line counts besides exchanges. */
export interface ConnectionSink {
  /** For one limit, for as long as it is configured. */
  rateLimitCounter(limit: string): RateLimitCounter
  /** For one TypeScript filter. */
  filterMeter(filter: string): FilterMeter
  downstreamOpened(listener: string): void
  downstreamClosed(listener: string): void
  /**
   * A connection that never became a request: plaintext on STRICT, a failed handshake, an unparsable head. `reason` is one of few texts;
   * what follows a ": " in it is detail of this one connection and not counted apart.
   */
  downstreamRefused(listener: string, reason: string): void
  upstreamOpened(cluster: string): void
  upstreamClosed(cluster: string): void
  upstreamConnectFailed(cluster: string): void
  /** Something was refused because a limit of a circuit breaker or of adaptive concurrency is reached. */
  upstreamOverflow(cluster: string, limit: CircuitBreakerLimit | CallerLimit | AdaptiveConcurrencyLimit): void
  /** Adaptive concurrency has found a limit. */
  concurrencyLimited(cluster: string, limit: number): void
  /** A request to `cluster` was to be copied to `mirror`, and both are over. */
  mirrored(cluster: string, mirror: string, answers: ComparedAnswers): void
  /** Outlier detection has ejected an endpoint; `ejected`: those of the cluster that are ejected now. */
  endpointEjected(cluster: string, reason: EjectionReason, ejected: number): void
  endpointAdmitted(cluster: string, ejected: number): void
  /** Of requests that are traced. */
  spansCounted(result: BatchResult, spans: number): void
  /** An endpoint has been asked by a health check; `unhealthy`: those of the cluster that are now. */
  healthChecked(cluster: string, failed: boolean, unhealthy: number): void
  /** A caller has been joined to an endpoint, for opaque bytes. */
  tcpOpened(listener: string, cluster: string): void
  tcpClosed(listener: string, cluster: string): void
  /** It could not be joined to any. `cluster` is empty when there is none. */
  tcpFailed(listener: string, cluster: string): void
  /** Carried since the last time: now and then while it is open, and at its end. */
  tcpBytes(listener: string, cluster: string, sentBytes: number, receivedBytes: number): void
}

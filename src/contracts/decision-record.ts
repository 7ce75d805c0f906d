// One request's decisions as a value. The access log, `tap`, traces, `explain` and recordings are projections of it.
import type { MetadataValue } from './filter.ts'
import type { SourcePosition } from './problem.ts'

/** Envoy's response flags: what a proxy itself did to a request. Empty list: nothing. */
export type ResponseFlag =
  | 'NR' // no route
  | 'NC' // no cluster
  | 'UH' // no healthy endpoint
  | 'UF' // upstream connection failure
  | 'UC' // upstream connection termination
  | 'UT' // upstream request timeout
  | 'URX' // retry limit
  | 'UO' // upstream overflow (circuit breaker)
  | 'DC' // downstream connection termination
  | 'DPE' // downstream protocol error
  | 'UPE' // upstream protocol error
  | 'UAEX' // refused by an authorization policy
  | 'RL' // rate limited
  | 'RLSE' // refused because the rate limit server gave no answer
  | 'FI' // fault injected: aborted or reset
  | 'DI' // fault injected: delayed
  | 'SI' // stream idle timeout
  | 'LR' // local reset

export interface SourceLocation extends Partial<SourcePosition> {
  /** "HTTPRoute/default/reviews". */
  readonly document: string
  /** Name of the rule, or its index. */
  readonly rule?: string
}

/** Absent facts may be undefined as well. */
export interface AttemptRecord {
  readonly endpoint: string
  readonly workload?: string | undefined
  /** `cancelled`: another attempt was faster. */
  readonly outcome: 'response' | 'connect-failure' | 'refused' | 'reset' | 'timeout' | 'protocol-error' | 'cancelled'
  /** Status of the response, when there was one. */
  readonly status?: number | undefined
  /** How long after the request. */
  readonly startMs?: number | undefined
  readonly durationMs: number
  /** Its own span, where the next hop has it for its parent. */
  readonly spanId?: string | undefined
  /** Why another attempt followed. */
  readonly retriedBecause?: string | undefined
}

/** What authorization policies said of a request or connection. */
export interface AuthorizationRecord {
  readonly allowed: boolean
  /** The deciding rule: "AuthorizationPolicy/default/reviews/0". Absent: none matched, and the default decided. */
  readonly policy?: string | undefined
  readonly source?: SourceLocation | undefined
  /** For a person. */
  readonly reason: string
  /** Rules with action AUDIT that matched. */
  readonly audited: readonly string[]
  /** What the policies with `dryRun` would have said, were they alone; absent: there are none. */
  readonly shadow?: { readonly allowed: boolean; readonly policy?: string | undefined } | undefined
}

/** A rate limit that a request was beyond. */
export interface RateLimitRecord {
  /** "TrafficPolicy/default/reviews/per-caller". */
  readonly limit: string
  /** Whether the request was refused for it. */
  readonly enforced: boolean
}

/** What a TypeScript filter did to an exchange. `failed`: nothing; the exchange went on without it, or was refused. */
export interface FilterRecord {
  /** "Filter/default/tenant". */
  readonly filter: string
  readonly phase: 'request' | 'request_body' | 'response' | 'response_body'
  readonly did: 'changed' | 'answered' | 'failed'
}

/** The trace that a request belongs to. */
export interface TraceRecord {
  readonly traceId: string
  /** Of this hop, and of its first attempt where that has none of its own. */
  readonly spanId: string
  readonly parentSpanId?: string | undefined
}

/** Absent facts may be undefined as well: records have one fixed shape. */
export interface DecisionRecord {
  readonly id: string
  /** Start of the request, milliseconds since the Unix epoch. */
  readonly startMs: number
  readonly reporter: 'source' | 'destination' | 'gateway'
  /** The workload whose proxy wrote this record: "namespace/name". */
  readonly proxy: string
  readonly revision: string
  readonly request: {
    readonly method: string
    readonly authority: string
    readonly path: string
    readonly protocol: string
    readonly headers: Readonly<Record<string, string>>
    readonly bytes: number
  }
  readonly source: {
    readonly workload?: string | undefined
    readonly principal?: string | undefined
    readonly address?: string | undefined
  }
  readonly destination: {
    readonly workload?: string | undefined
    readonly principal?: string | undefined
    readonly service?: string | undefined
    readonly address?: string | undefined
  }
  readonly listener: string
  /** Absent where no policies apply. */
  readonly authorization?: AuthorizationRecord | undefined
  /** Absent where the request was within all limits. */
  readonly rateLimit?: RateLimitRecord | undefined
  /** Absent where the route has no filters that did anything. */
  readonly filters?: readonly FilterRecord[] | undefined
  /** What filters said about it. */
  readonly metadata?: Readonly<Record<string, MetadataValue>> | undefined
  readonly routeConfiguration?: string | undefined
  readonly virtualHost?: string | undefined
  readonly route?: string | undefined
  /** Where the route was written. */
  readonly routeSource?: SourceLocation | undefined
  readonly split?: { readonly drawn: number; readonly total: number; readonly cluster: string } | undefined
  readonly cluster?: string | undefined
  readonly attempts: readonly AttemptRecord[]
  readonly response: {
    readonly status: number
    readonly grpcStatus?: number | undefined
    readonly flags: readonly ResponseFlag[]
    readonly bytes: number
    /** Text for a person when the proxy itself answered. */
    readonly detail?: string | undefined
  }
  readonly durationMs: number
  /** Whether the hop towards this proxy was mutual TLS. */
  readonly mtls: boolean
  /** Absent where no tracing is configured. */
  readonly trace?: TraceRecord | undefined
}

// What a load-balancing policy is to the cluster that uses it: pure on Clock and Random, no sockets.
import type { AttemptRecord } from './decision-record.ts'
import type { Locality } from './locality.ts'

export interface LoadBalancedEndpoint {
  /** "host:port". */
  readonly address: string
  readonly weight: number
  /** Undefined: not told. */
  readonly locality: Locality | undefined
  /** Of its locality, for those who spread by it. Undefined: not told. */
  readonly localityWeight: number | undefined
  /** By which requests may choose it. Undefined: none. */
  readonly labels: Readonly<Record<string, string>> | undefined
  /** As the control plane orders them: 0 is most wanted. */
  readonly priority: number
  /** Requests under way; kept by the cluster. */
  activeRequests: number
  /** Neither ejected nor unhealthy: it gets requests before the others. The balancer is made anew when it changes. */
  readonly available: boolean
  /** When it came or came back, on the monotonic clock; -Infinity: it has been there all the time. */
  readonly sinceMs: number
  /** How long its responses take to begin, as peak EWMA has learned it, and when that was; 0: it has not answered yet. */
  latencyMs: number
  latencyAtMs: number
  /** Weight by its own reports of load, since when there have been any and when the last came; -Infinity: none. */
  reportedWeight: number
  reportedSinceMs: number
  reportedAtMs: number
  /** Of its share when it last said that it was asked too much, when that was, and how long until it has all of it again; -Infinity: never. */
  limitedShare: number
  limitedAtMs: number
  limitedForMs: number
}

/** Which endpoints a pick keeps away from while there are others. */
export interface Avoided<E extends LoadBalancedEndpoint> {
  readonly size: number
  has(endpoint: E): boolean
}

export interface LoadBalancer<E extends LoadBalancedEndpoint = LoadBalancedEndpoint> {
  /**
   * An endpoint, avoiding `avoid` while there is another; undefined when there is none at all. `hash`: what the request is to be known by, 32 bits;
   * undefined: nothing in particular. `subset`: what of the endpoints' labels it chooses by; undefined: nothing.
   */
  pick(avoid?: Avoided<E>, hash?: number, subset?: string): E | undefined
  /** How many endpoints may be picked with that `subset`. Absent: all. */
  countOf?(subset: string | undefined): number
  /** Once for each attempt, also of endpoints that are gone by now. Absent: nothing is learned from attempts. */
  attemptOver?(endpoint: E, attempt: FinishedAttempt): void
  /** Attempts are to tell the endpoints' reports of load. */
  readonly readsLoadReports?: true
}

/** What became of an attempt. Only to be looked at during the call. */
export interface FinishedAttempt {
  /** `overflow`: this proxy had no connection to spare. */
  readonly outcome: AttemptRecord['outcome'] | 'overflow'
  /** Of the response; 0: none had begun. */
  readonly status: number
  /** Of the response's trailers, or of its head when there are none; undefined: it is no gRPC, or has not ended. */
  readonly grpcStatus: number | undefined
  /** On the monotonic clock. */
  readonly startMs: number
  /** When the response began; 0: it did not. */
  readonly respondedMs: number
  /** How long the endpoint wants to be left alone, to be asked where it says that it is asked too much; undefined: it does not say. */
  readonly retryAfterMs?: number | undefined
  /** `endpoint-load-metrics` of the response: "TEXT …", "JSON …", "BIN …". Told only where the load balancer reads it. */
  readonly loadReport?: string | undefined
}

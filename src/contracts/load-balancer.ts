// What a load-balancing policy is to the cluster that uses it: pure on Clock and Random, no sockets.
import type { AttemptRecord } from './decision-record.ts'

export interface LoadBalancedEndpoint {
  /** "host:port". */
  readonly address: string
  readonly weight: number
  /** Requests under way; kept by the cluster. */
  activeRequests: number
  /** Neither ejected nor unhealthy: it gets requests before the others. The balancer is made anew when it changes. */
  readonly available: boolean
}

export interface LoadBalancer {
  /** An endpoint, avoiding `avoid` while there is another; undefined when there is none at all. */
  pick(avoid?: ReadonlySet<LoadBalancedEndpoint>): LoadBalancedEndpoint | undefined
  /** Once for each attempt, also of endpoints that are gone by now. Absent: nothing is learned from attempts. */
  attemptOver?(endpoint: LoadBalancedEndpoint, attempt: FinishedAttempt): void
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
}

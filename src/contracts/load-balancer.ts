// What a load-balancing policy is to the cluster that uses it: pure on Random, no sockets.

export interface LoadBalancedEndpoint {
  /** "host:port". */
  readonly address: string
  readonly weight: number
  /** Requests under way; kept by the cluster. */
  activeRequests: number
}

export interface LoadBalancer {
  /** An endpoint, avoiding `avoid` while there is another; undefined when there is none at all. */
  pick(avoid?: ReadonlySet<LoadBalancedEndpoint>): LoadBalancedEndpoint | undefined
}

// How a cluster spreads requests over its endpoints.

export interface LoadBalancingSpec {
  /** Two random endpoints, the one with fewer active requests wins (P2C). */
  readonly kind: 'least-request'
  /** How many are compared. */
  readonly choiceCount: number
}

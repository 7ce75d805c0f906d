// Endpoints as load balancers see them, and what they are given.
import type { LoadBalancedEndpoint, LoadBalancer } from '../../src/contracts/load-balancer.ts'

export function balancedEndpoint(changes: Partial<LoadBalancedEndpoint> = {}): LoadBalancedEndpoint {
  return {
    address: '10.0.0.1:80',
    weight: 1,
    locality: undefined,
    localityWeight: undefined,
    labels: undefined,
    priority: 0,
    activeRequests: 0,
    available: true,
    sinceMs: -Infinity,
    latencyMs: 0,
    latencyAtMs: 0,
    reportedWeight: 0,
    reportedSinceMs: -Infinity,
    reportedAtMs: -Infinity,
    limitedShare: 1,
    limitedAtMs: -Infinity,
    limitedForMs: 0,
    ...changes,
  }
}

export function balancedEndpoints(...weights: number[]): LoadBalancedEndpoint[] {
  return weights.map((weight, i) => balancedEndpoint({ address: `10.0.${i >> 8}.${i & 255}:80`, weight }))
}

/** `count` of equal weight. */
export function equalEndpoints(count: number): LoadBalancedEndpoint[] {
  return balancedEndpoints(...Array.from({ length: count }, () => 1))
}

/** Share of each endpoint over many picks, with `inFlight` requests under way at once, each taking equally long. */
export function sharesOf(
  list: readonly LoadBalancedEndpoint[],
  balancer: LoadBalancer,
  inFlight = 1,
  picks = 20_000,
): number[] {
  const counts = new Map(list.map((endpoint) => [endpoint, 0]))
  const underWay: LoadBalancedEndpoint[] = []
  for (let i = 0; i < picks; i++) {
    const picked = balancer.pick() as LoadBalancedEndpoint
    counts.set(picked, (counts.get(picked) ?? 0) + 1)
    picked.activeRequests++
    underWay.push(picked)
    if (underWay.length >= inFlight) (underWay.shift() as LoadBalancedEndpoint).activeRequests--
  }
  for (const endpoint of underWay) endpoint.activeRequests--
  return [...counts.values()].map((count) => count / picks)
}

// From the hash of a request to an endpoint: the first choice of its table that may be had. Bounded load (Mirrokni, Thorup, Zadimoghaddam: "Consistent
// Hashing with Bounded Loads") passes over those that have more than their share under way.
import type { LoadBalancedEndpoint, LoadBalancer } from '../../contracts/load-balancer.ts'
import type { Random } from '../../core/random.ts'

/** The endpoint that a key leads to, and where it goes on when that one may not be had. */
export interface HashedTable<E> {
  /** The choice number `step`, from 0 on. Choices repeat. */
  at(hash: number, step: number): E
}

/** Choices looked at, at most: with a factor of 125 % and all but a fifth overloaded, one request of a thousand finds none. */
const maxSteps = 32

export function compileHashedPick<E extends LoadBalancedEndpoint>(
  endpoints: readonly E[],
  table: HashedTable<E>,
  balanceFactorPercent: number | undefined,
  random: Random,
): LoadBalancer<E>['pick'] {
  const isFull = balanceFactorPercent === undefined ? undefined : compileBound(endpoints, balanceFactorPercent)
  return (avoid, hash = random.int(2 ** 32)) => {
    const retrying = avoid !== undefined && avoid.size > 0
    if (!retrying && isFull === undefined) return table.at(hash, 0)
    for (let step = 0; step < maxSteps; step++) {
      const endpoint = table.at(hash, step)
      if (retrying && avoid.has(endpoint)) continue
      if (isFull === undefined || !isFull(endpoint)) return endpoint
    }
    const others = retrying ? endpoints.filter((endpoint) => !avoid.has(endpoint)) : endpoints
    return others[hash % others.length] ?? table.at(hash, 0)
  }
}

/** The requests under way are counted anew after as many picks as there are endpoints, so that a pick costs little however many they are. */
function compileBound<E extends LoadBalancedEndpoint>(
  endpoints: readonly E[],
  balanceFactorPercent: number,
): (endpoint: E) => boolean {
  const totalWeight = endpoints.reduce((sum, { weight }) => sum + weight, 0)
  const factor = balanceFactorPercent / 100 / totalWeight
  let total = 0
  let uncounted = 0
  return (endpoint) => {
    if (uncounted-- <= 0) {
      total = 0
      for (const { activeRequests } of endpoints) total += activeRequests
      uncounted = endpoints.length
    }
    return endpoint.activeRequests >= Math.ceil((total + 1) * factor * endpoint.weight)
  }
}

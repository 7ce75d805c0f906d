// Least request by few random choices: draws a handful of endpoints by weight and takes the one with the least under way for its weight.
import type { LoadBalancedEndpoint, LoadBalancer } from '../../contracts/load-balancer.ts'
import type { Random } from '../../core/random.ts'
import type { LoadBalancingSpec } from './load-balancing.spec.ts'

type Pick<E> = () => E | undefined

/** Endpoints of weight 0 get nothing. The balancer is made anew when the endpoints change; their request counts live in them. */
export function createLeastRequest<E extends LoadBalancedEndpoint>(
  endpoints: readonly E[],
  spec: LoadBalancingSpec,
  random: Random,
): LoadBalancer & { pick(avoid?: ReadonlySet<LoadBalancedEndpoint>): E | undefined } {
  const live = endpoints.filter((endpoint) => endpoint.weight > 0)
  const pickAny = compilePick(live, spec.choiceCount, random)
  return {
    pick(avoid) {
      if (avoid === undefined || avoid.size === 0) return pickAny()
      // Only retries avoid, so they bear the cost of the smaller list.
      const others = live.filter((endpoint) => !avoid.has(endpoint))
      return others.length === 0 ? pickAny() : compilePick(others, spec.choiceCount, random)()
    },
  }
}

function compilePick<E extends LoadBalancedEndpoint>(live: readonly E[], choiceCount: number, random: Random): Pick<E> {
  const [first] = live
  if (first === undefined) return () => undefined
  if (live.length === 1) return () => first
  const uneven = live.some((endpoint) => endpoint.weight !== first.weight)
  return uneven ? compileWeighted(live, choiceCount, random) : compileEven(live, choiceCount, random)
}

/** A draw that repeats the best so far takes its neighbour instead: two endpoints are then always compared with each other. */
function compileEven<E extends LoadBalancedEndpoint>(live: readonly E[], choiceCount: number, random: Random): Pick<E> {
  const count = live.length
  return () => {
    let bestIndex = random.int(count)
    let best = live[bestIndex] as E
    for (let choice = 1; choice < choiceCount; choice++) {
      const drawn = random.int(count)
      const index = drawn === bestIndex ? (drawn + 1) % count : drawn
      const candidate = live[index] as E
      if (candidate.activeRequests >= best.activeRequests) continue
      best = candidate
      bestIndex = index
    }
    return best
  }
}

/** Draws with replacement: a light endpoint is then compared, and so chosen, as rarely as its weight says. */
function compileWeighted<E extends LoadBalancedEndpoint>(
  live: readonly E[],
  choiceCount: number,
  random: Random,
): Pick<E> {
  const upTo = new Float64Array(live.length)
  let total = 0
  for (const [index, endpoint] of live.entries()) upTo[index] = total += endpoint.weight
  const draw = (): E => live[firstAbove(upTo, random.next() * total)] as E
  return () => {
    let best = draw()
    for (let choice = 1; choice < choiceCount; choice++) {
      const candidate = draw()
      if (candidate.activeRequests / candidate.weight < best.activeRequests / best.weight) best = candidate
    }
    return best
  }
}

/** Index of the first number above `value` in an ascending array whose last one is. */
function firstAbove(ascending: Float64Array, value: number): number {
  let low = 0
  let high = ascending.length - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ascending[middle] as number) > value) high = middle
    else low = middle + 1
  }
  return low
}

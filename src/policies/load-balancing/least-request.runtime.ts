// Least request by few random choices: draws a handful of endpoints by weight and takes the one with the least under way for its weight.
import type { LoadBalancedEndpoint } from '../../contracts/load-balancer.ts'
import type { Random } from '../../core/random.ts'
import { compileTurns } from './earliest-deadline.runtime.ts'
import type { LoadBalancingSpec } from './load-balancing.spec.ts'
import { compileDraw, isEven } from './weighted-draw.runtime.ts'

type LeastRequest = Extract<LoadBalancingSpec, { kind: 'least-request' }>

export function compileLeastRequest<E extends LoadBalancedEndpoint>(
  endpoints: readonly E[],
  { choiceCount, activeRequestBias }: LeastRequest,
  random: Random,
): () => E {
  const weights = endpoints.map(({ weight }) => weight)
  if (isEven(weights)) return compileEven(endpoints, choiceCount, random)
  if (activeRequestBias === undefined) return compileWeighted(endpoints, choiceCount, random)
  const weightOf = ({ weight, activeRequests }: E): number => weight / (activeRequests + 1) ** activeRequestBias
  return compileTurns(endpoints, weightOf, random)
}

/** A draw that repeats the best so far takes its neighbour instead: two endpoints are then always compared with each other. */
function compileEven<E extends LoadBalancedEndpoint>(
  endpoints: readonly E[],
  choiceCount: number,
  random: Random,
): () => E {
  const count = endpoints.length
  return () => {
    let bestIndex = random.int(count)
    let best = endpoints[bestIndex] as E
    for (let choice = 1; choice < choiceCount; choice++) {
      const drawn = random.int(count)
      const index = drawn === bestIndex ? (drawn + 1) % count : drawn
      const candidate = endpoints[index] as E
      if (candidate.activeRequests >= best.activeRequests) continue
      best = candidate
      bestIndex = index
    }
    return best
  }
}

/** Draws with replacement: a light endpoint is then compared, and so chosen, as rarely as its weight says. */
function compileWeighted<E extends LoadBalancedEndpoint>(
  endpoints: readonly E[],
  choiceCount: number,
  random: Random,
): () => E {
  const draw = compileDraw(
    endpoints.map(({ weight }) => weight),
    random,
  )
  return () => {
    let best = endpoints[draw()] as E
    for (let choice = 1; choice < choiceCount; choice++) {
      const candidate = endpoints[draw()] as E
      if (candidate.activeRequests / candidate.weight < best.activeRequests / best.weight) best = candidate
    }
    return best
  }
}

// Round robin: one endpoint after the other, by weight and never in bursts.
import type { LoadBalancedEndpoint } from '../../contracts/load-balancer.ts'
import type { Random } from '../../core/random.ts'
import { compileTurns } from './earliest-deadline.runtime.ts'
import { isEven } from './weighted-draw.runtime.ts'

export function compileRoundRobin<E extends LoadBalancedEndpoint>(endpoints: readonly E[], random: Random): () => E {
  const count = endpoints.length
  if (!isEven(endpoints.map(({ weight }) => weight))) return compileTurns(endpoints, ({ weight }) => weight, random)
  let next = random.int(count)
  return () => {
    if (next === count) next = 0
    return endpoints[next++] as E
  }
}

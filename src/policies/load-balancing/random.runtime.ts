// Random: each request by itself, by weight.
import type { LoadBalancedEndpoint } from '../../contracts/load-balancer.ts'
import type { Random } from '../../core/random.ts'
import { compileDraw } from './weighted-draw.runtime.ts'

export function compileRandom<E extends LoadBalancedEndpoint>(endpoints: readonly E[], random: Random): () => E {
  const draw = compileDraw(
    endpoints.map(({ weight }) => weight),
    random,
  )
  return () => endpoints[draw()] as E
}

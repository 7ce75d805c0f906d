// Slow start: an endpoint that has just come gets a part of its share, which grows to the whole of it within a window. A pick that it is not to have is drawn again.
import type { LoadBalancedEndpoint } from '../../contracts/load-balancer.ts'
import type { Clock } from '../../core/clock.ts'
import type { Random } from '../../core/random.ts'
import type { SlowStartSpec } from './load-balancing.spec.ts'

/** After so many draws the last one is taken: all endpoints may be new. */
const maxDraws = 16

export function startSlowly<E extends LoadBalancedEndpoint>(
  endpoints: readonly E[],
  spec: SlowStartSpec,
  pickAny: () => E,
  clock: Clock,
  random: Random,
): () => E {
  const warmAtMs = endpoints.reduce((latest, { sinceMs }) => Math.max(latest, sinceMs), -Infinity) + spec.windowMs
  let cold = clock.monotonicMs() < warmAtMs
  if (!cold) return pickAny
  return () => {
    const picked = pickAny()
    if (!cold) return picked
    const nowMs = clock.monotonicMs()
    cold = nowMs < warmAtMs
    let candidate = picked
    for (let draw = 1; draw < maxDraws && random.next() >= factorOf(candidate, spec, nowMs); draw++)
      candidate = pickAny()
    return candidate
  }
}

/** Of its weight (as Envoy's): min 1 second into the window, so that it is never 0. */
function factorOf({ sinceMs }: LoadBalancedEndpoint, spec: SlowStartSpec, nowMs: number): number {
  const { windowMs, aggression, minWeightPercent } = spec
  const passed = Math.max(nowMs - sinceMs, 1_000) / windowMs
  return passed >= 1 ? 1 : Math.max(minWeightPercent / 100, passed ** (1 / aggression))
}

// The load balancer of a cluster: which endpoints serve, and by which algorithm one of them is picked. Made anew when the endpoints change.
import type { LoadBalancedEndpoint, LoadBalancer } from '../../contracts/load-balancer.ts'
import type { Clock } from '../../core/clock.ts'
import type { Random } from '../../core/random.ts'
import { compileHashedPick } from './hashed-pick.runtime.ts'
import { compileLeastRequest } from './least-request.runtime.ts'
import type { LoadBalancingSpec } from './load-balancing.spec.ts'
import { buildMaglev } from './maglev.runtime.ts'
import { compilePeakEwma, observeLatency } from './peak-ewma.runtime.ts'
import { compileRandom } from './random.runtime.ts'
import { buildRing } from './ring-hash.runtime.ts'
import { compileRoundRobin } from './round-robin.runtime.ts'

export interface LoadBalancerDeps {
  readonly clock: Clock
  readonly random: Random
}

/** Envoy's. */
export const defaultPanicThresholdPercent = 50
/** Of a retry, before all endpoints are gone through for one that has not been tried. */
const redraws = 8

/** Endpoints of weight 0 get nothing. What is known of an endpoint lives in it, and outlives the balancer. */
export function createLoadBalancer<E extends LoadBalancedEndpoint>(
  endpoints: readonly E[],
  spec: LoadBalancingSpec,
  deps: LoadBalancerDeps,
): LoadBalancer<E> {
  const serving = servingOf(endpoints, spec.panicThresholdPercent ?? defaultPanicThresholdPercent)
  const [first] = serving
  if (first === undefined) return { pick: () => undefined }
  const pick = compilePick(serving, first, spec, deps)
  if (spec.kind !== 'peak-ewma') return { pick }
  const { decayMs } = spec
  return {
    pick,
    attemptOver: (endpoint, attempt) => observeLatency(endpoint, attempt, decayMs, deps.clock.monotonicMs()),
  }
}

/** The available ones, unless there are so few that they would be overrun: then all. */
function servingOf<E extends LoadBalancedEndpoint>(endpoints: readonly E[], panicThresholdPercent: number): E[] {
  const weighted = endpoints.filter(({ weight }) => weight > 0)
  const available = weighted.filter((endpoint) => endpoint.available)
  const panic = available.length === 0 || available.length * 100 < weighted.length * panicThresholdPercent
  return panic ? weighted : available
}

function compilePick<E extends LoadBalancedEndpoint>(
  serving: readonly E[],
  first: E,
  spec: LoadBalancingSpec,
  { clock, random }: LoadBalancerDeps,
): LoadBalancer<E>['pick'] {
  if (serving.length === 1) return () => first
  switch (spec.kind) {
    case 'round-robin':
      return avoiding(serving, compileRoundRobin(serving, random), random)
    case 'random':
      return avoiding(serving, compileRandom(serving, random), random)
    case 'least-request':
      return avoiding(serving, compileLeastRequest(serving, spec, random), random)
    case 'peak-ewma':
      return avoiding(serving, compilePeakEwma(serving, spec, clock, random), random)
    case 'ring-hash':
      return compileHashedPick(serving, buildRing(serving, spec), spec.balanceFactorPercent, random)
    case 'maglev':
    default:
      return compileHashedPick(serving, buildMaglev(serving, spec), spec.balanceFactorPercent, random)
  }
}

function avoiding<E extends LoadBalancedEndpoint>(
  serving: readonly E[],
  pickAny: () => E,
  random: Random,
): LoadBalancer<E>['pick'] {
  return (avoid) => {
    if (avoid === undefined || avoid.size === 0) return pickAny()
    for (let redraw = 0; redraw < redraws; redraw++) {
      const picked = pickAny()
      if (!avoid.has(picked)) return picked
    }
    const others = serving.filter((endpoint) => !avoid.has(endpoint))
    return others.length === 0 ? pickAny() : others[random.int(others.length)]
  }
}

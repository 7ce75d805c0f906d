// The load balancer of a cluster: which endpoints serve, and by which algorithm one of them is picked. Made anew when the endpoints change.
import type { LoadBalancedEndpoint, LoadBalancer } from '../../contracts/load-balancer.ts'
import type { Locality } from '../../contracts/locality.ts'
import type { Clock } from '../../core/clock.ts'
import type { Random } from '../../core/random.ts'
import { compileReportedTurns, observeLoad } from './client-side-weighted-round-robin.runtime.ts'
import { compileHashedPick } from './hashed-pick.runtime.ts'
import { rehash } from './key-hash.runtime.ts'
import { compileLeastRequest } from './least-request.runtime.ts'
import type { LoadBalancingSpec } from './load-balancing.spec.ts'
import { compileShares } from './localities.runtime.ts'
import { buildMaglev } from './maglev.runtime.ts'
import { compilePeakEwma, observeLatency } from './peak-ewma.runtime.ts'
import { compileRandom } from './random.runtime.ts'
import { RateLimited } from './rate-limited.runtime.ts'
import { buildRing } from './ring-hash.runtime.ts'
import { compileRoundRobin } from './round-robin.runtime.ts'
import { startSlowly } from './slow-start.runtime.ts'
import { compileSubsets } from './subsets.runtime.ts'

export interface LoadBalancerDeps {
  readonly clock: Clock
  readonly random: Random
  /** Of this proxy; undefined: not told. */
  readonly locality?: Locality | undefined
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
  const weighted = endpoints.filter(({ weight }) => weight > 0)
  const picked =
    spec.subsets === undefined
      ? { pick: compileSpread(weighted, spec, deps) }
      : compileSubsets(weighted, spec.subsets, (some) => compileSpread(some, spec, deps))
  // keys stay where they are
  if (spec.kind === 'ring-hash' || spec.kind === 'maglev') return picked
  const { clock } = deps
  const limited = new RateLimited(weighted, deps)
  const learning: LoadBalancer<E> = {
    ...picked,
    pick: (avoid, hash, subset) => limited.pick(picked.pick, avoid, hash, subset),
    attemptOver: (endpoint, attempt) => limited.attemptOver(endpoint, attempt),
  }
  if (spec.kind === 'peak-ewma')
    return {
      ...learning,
      attemptOver: (endpoint, attempt) => {
        limited.attemptOver(endpoint, attempt)
        observeLatency(endpoint, attempt, spec.decayMs, clock.monotonicMs())
      },
    }
  if (spec.kind === 'client-side-weighted-round-robin')
    return {
      ...learning,
      readsLoadReports: true,
      attemptOver: (endpoint, attempt) => {
        limited.attemptOver(endpoint, attempt)
        observeLoad(endpoint, attempt, spec, clock.monotonicMs())
      },
    }
  return learning
}

function compileSpread<E extends LoadBalancedEndpoint>(
  endpoints: readonly E[],
  spec: LoadBalancingSpec,
  deps: LoadBalancerDeps,
): LoadBalancer<E>['pick'] {
  const { locality, panicThresholdPercent = defaultPanicThresholdPercent } = spec
  const shares = compileShares(endpoints, { locality, panicThresholdPercent, own: deps.locality })
  const leaves = shares.map(({ share, endpoints: serving }): Leaf<E> => ({
    share,
    pick: compilePick(serving, spec, deps),
  }))
  return composePick(leaves, deps.random)
}

interface Leaf<E extends LoadBalancedEndpoint> {
  readonly share: number
  readonly pick: LoadBalancer<E>['pick']
}

/** Another salt than those of retries, so that what share a key belongs to tells nothing of its place there. */
const shareSalt = 0x5ba1e

function composePick<E extends LoadBalancedEndpoint>(
  leaves: readonly Leaf<E>[],
  random: Random,
): LoadBalancer<E>['pick'] {
  const [first] = leaves
  if (first === undefined) return () => undefined
  if (leaves.length === 1) return first.pick
  const mostUsed = leaves.reduce((most, leaf) => (leaf.share > most.share ? leaf : most))
  return (avoid, hash) => {
    let left = first.share === 1 ? 0 : hash === undefined ? random.next() : rehash(hash, shareSalt) / 2 ** 32
    let leaf = first
    for (let i = 1; left >= leaf.share && i < leaves.length; i++) {
      left -= leaf.share
      leaf = leaves[i] as Leaf<E>
    }
    if (leaf.share === 0) leaf = mostUsed // what is left after all shares is a rounding error
    const picked = leaf.pick(avoid, hash)
    if (avoid === undefined || picked === undefined || !avoid.has(picked)) return picked
    for (const other of leaves) {
      const instead = other.pick(avoid, hash)
      if (instead !== undefined && !avoid.has(instead)) return instead
    }
    return picked
  }
}

function compilePick<E extends LoadBalancedEndpoint>(
  serving: readonly E[],
  spec: LoadBalancingSpec,
  { clock, random }: LoadBalancerDeps,
): LoadBalancer<E>['pick'] {
  const [first] = serving
  if (first === undefined || serving.length === 1) return () => first
  const { slowStart } = spec
  const unhashed = (pickAny: () => E): LoadBalancer<E>['pick'] =>
    avoiding(
      serving,
      slowStart === undefined ? pickAny : startSlowly(serving, slowStart, pickAny, clock, random),
      random,
    )
  switch (spec.kind) {
    case 'round-robin':
      return unhashed(compileRoundRobin(serving, random))
    case 'client-side-weighted-round-robin':
      return unhashed(compileReportedTurns(serving, spec, clock, random))
    case 'random':
      return unhashed(compileRandom(serving, random))
    case 'least-request':
      return unhashed(compileLeastRequest(serving, spec, random))
    case 'peak-ewma':
      return unhashed(compilePeakEwma(serving, spec, clock, random))
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

// Peak EWMA (Finagle, Linkerd): the endpoint that is likely to answer first, by what its responses took and how many it still owes.
import type { FinishedAttempt, LoadBalancedEndpoint } from '../../contracts/load-balancer.ts'
import type { Clock } from '../../core/clock.ts'
import type { Random } from '../../core/random.ts'
import type { LoadBalancingSpec } from './load-balancing.spec.ts'
import { compileDraw, isEven } from './weighted-draw.runtime.ts'

type PeakEwma = Extract<LoadBalancingSpec, { kind: 'peak-ewma' }>

/** An endpoint that has not answered yet is asked once, and again only where all others have not either. */
const unknownCost = 1e9
/** What a failure counts at least: to fail fast is not to be fast. */
const failureMs = 1_000
/** 0 stands for an endpoint that has not answered yet. */
const leastMs = 0.001
/** gRPC UNAVAILABLE. */
const unavailable = 14

export function compilePeakEwma<E extends LoadBalancedEndpoint>(
  endpoints: readonly E[],
  { choiceCount, decayMs }: PeakEwma,
  clock: Clock,
  random: Random,
): () => E {
  const count = endpoints.length
  const weights = endpoints.map(({ weight }) => weight)
  const meanWeight = weights.reduce((sum, weight) => sum + weight, 0) / count
  const even = isEven(weights)
  const draw = compileDraw(weights, random)
  return () => {
    const nowMs = clock.monotonicMs()
    let bestIndex = draw()
    let best = endpoints[bestIndex] as E
    let bestCost = costOf(best, meanWeight, decayMs, nowMs)
    for (let choice = 1; choice < choiceCount; choice++) {
      const drawn = draw()
      // As with least request: two endpoints are always compared with each other, unless one is to get less.
      const index = even && drawn === bestIndex ? (drawn + 1) % count : drawn
      const candidate = endpoints[index] as E
      const cost = costOf(candidate, meanWeight, decayMs, nowMs)
      if (cost >= bestCost) continue
      best = candidate
      bestIndex = index
      bestCost = cost
    }
    return best
  }
}

function costOf(endpoint: LoadBalancedEndpoint, meanWeight: number, decayMs: number, nowMs: number): number {
  const { latencyMs, latencyAtMs, activeRequests, weight } = endpoint
  if (latencyMs === 0) return activeRequests === 0 ? 0 : unknownCost + activeRequests
  const pending = (activeRequests * meanWeight) / weight + 1
  return latencyMs * Math.exp((latencyAtMs - nowMs) / decayMs) * pending
}

/** A slower response than expected counts at once, a faster one by and by. */
export function observeLatency(
  endpoint: LoadBalancedEndpoint,
  { outcome, status, grpcStatus, startMs, respondedMs }: FinishedAttempt,
  decayMs: number,
  nowMs: number,
): void {
  if (outcome === 'overflow') return
  let tookMs = (respondedMs === 0 ? nowMs : respondedMs) - startMs
  const unanswered = outcome === 'cancelled'
  // How long it would have taken is not known, only that it would have been longer.
  if (unanswered && tookMs <= endpoint.latencyMs) return
  const failed = (outcome !== 'response' && !unanswered) || status >= 500 || grpcStatus === unavailable
  if (failed && tookMs < failureMs) tookMs = failureMs
  if (tookMs < endpoint.latencyMs) {
    const kept = Math.exp((endpoint.latencyAtMs - nowMs) / decayMs)
    tookMs = endpoint.latencyMs * kept + tookMs * (1 - kept)
  }
  endpoint.latencyMs = Math.max(tookMs, leastMs)
  endpoint.latencyAtMs = nowMs
}

// Refuses the requests of a workload that are more than a limit allows, as Envoy's local_ratelimit filter does.
import type { HttpFilter, RateLimitCounter } from '../../contracts/http-filter.ts'
import type { Clock } from '../../core/clock.ts'
import type { Random } from '../../core/random.ts'
import { compileEntry, type ReadValue } from './descriptor.runtime.ts'
import type { LocalRateLimitSpec } from './rate-limit.spec.ts'
import { limitedRefusal, limitHeaders, type LimitPolicy } from './refusal.runtime.ts'
import type { TokenBuckets } from './token-buckets.runtime.ts'

export interface RateLimitDeps {
  readonly clock: Clock
  readonly random: Random
  /** The same for the same limit, wherever in the proxy it is met and whatever else of the configuration changes. */
  readonly bucketsOf: (spec: LocalRateLimitSpec) => TokenBuckets
  readonly countRateLimit: (limit: string) => RateLimitCounter
}

const all = 1_000_000

export function localRateLimitFilter(spec: LocalRateLimitSpec, deps: RateLimitDeps): HttpFilter {
  const { clock, random, bucketsOf, countRateLimit } = deps
  const { name, enforcedShare } = spec
  const buckets = bucketsOf(spec)
  const count = countRateLimit(name)
  const keyOf = compileKey(spec.descriptor.map(compileEntry))
  const policy = (): LimitPolicy => ({
    name,
    quota: Math.floor(buckets.maxTokens),
    windowSeconds: secondsOf(buckets.fillMs),
  })
  return {
    name: 'envoy.filters.http.local_ratelimit',
    apply(request) {
      const key = keyOf(request)
      if (key === undefined) return undefined
      const waitMs = buckets.take(key, clock.monotonicMs())
      if (waitMs === 0) {
        count('allowed')
        if (spec.announced) (request.responseHeaders ??= []).push(...limitHeaders(policy(), buckets.left))
        return undefined
      }
      const enforced = enforcedShare >= all || (enforcedShare > 0 && random.int(all) < enforcedShare)
      count(enforced ? 'limited' : 'dry_run')
      request.rateLimit = { limit: name, enforced }
      if (!enforced) return undefined
      return limitedRefusal(policy(), secondsOf(waitMs))
    },
  }
}

/** Undefined: the request is not counted. */
function compileKey(reads: readonly ReadValue[]): ReadValue {
  const [first, ...others] = reads
  if (first === undefined) return () => ''
  if (others.length === 0) return first
  return (request) => {
    let key = ''
    for (const read of reads) {
      const value = read(request)
      if (value === undefined) return undefined
      // values may hold any character: their lengths tell them apart
      key += `${value.length}:${value}`
    }
    return key
  }
}

/** Rounded up, but for what fractions have added. */
function secondsOf(milliseconds: number): number {
  return Math.max(1, Math.ceil(milliseconds / 1000 - 1e-6))
}

// The buckets of a proxy's local limits: a limit keeps its own while it stays as it is, on all ports and through changes of other things.
import type { LocalRateLimitSpec } from './rate-limit.spec.ts'
import { TokenBuckets } from './token-buckets.runtime.ts'

export class LimitBuckets {
  readonly #share: number
  readonly #byLimit = new Map<string, TokenBuckets>()

  /** `share`: of each limit that is this process's own. */
  constructor(share: number) {
    this.#share = share
  }

  of(spec: LocalRateLimitSpec): TokenBuckets {
    const key = keyOf(spec)
    let buckets = this.#byLimit.get(key)
    if (buckets === undefined) this.#byLimit.set(key, (buckets = new TokenBuckets(spec.tokenBucket, this.#share)))
    return buckets
  }

  /** The others are not configured any more. */
  keep(limits: readonly LocalRateLimitSpec[]): void {
    const kept = new Set(limits.map(keyOf))
    for (const key of this.#byLimit.keys()) if (!kept.has(key)) this.#byLimit.delete(key)
  }
}

function keyOf({ name, tokenBucket, descriptor }: LocalRateLimitSpec): string {
  return JSON.stringify([name, tokenBucket, descriptor])
}

// The buckets of a proxy's local limits: a limit keeps its own while it stays as it is, on all ports and through changes of other things.
import { WatchableValue } from '../../core/watchable.ts'
import type { LocalRateLimitSpec } from './rate-limit.spec.ts'
import { TokenBuckets } from './token-buckets.runtime.ts'

/** Without an assignment for so long, a proxy goes on with an even share. */
const staleAfterMs = 3_000

interface SharedLimit {
  readonly buckets: TokenBuckets
  fallbackShare: number
  assignedMs: number
  /** Since when its takes are counted. */
  countedMs: number
}

export class LimitBuckets {
  /** Names of the limits that the proxies of the destination enforce together. */
  readonly shared: WatchableValue<readonly string[]> = new WatchableValue<readonly string[]>([])
  readonly #share: number
  readonly #byLimit = new Map<string, TokenBuckets>()
  #byName = new Map<string, SharedLimit>()

  /** `share`: of each limit that is this process's own, until another is assigned. */
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
    const before = this.#byName
    this.#byName = new Map()
    for (const spec of limits) {
      if (spec.shared !== true) continue
      const buckets = this.of(spec)
      const known = before.get(spec.name)
      const fresh = { buckets, fallbackShare: this.#share, assignedMs: -Infinity, countedMs: -Infinity }
      this.#byName.set(spec.name, known?.buckets === buckets ? known : fresh)
    }
    const names = [...this.#byName.keys()]
    if (names.join() !== this.shared.value.join()) this.shared.set(names)
  }

  /** `fallbackShare` holds when no assignment comes any more. */
  assign(limit: string, share: number, fallbackShare: number, nowMs: number): void {
    const found = this.#byName.get(limit)
    if (found === undefined) return
    found.fallbackShare = fallbackShare
    found.assignedMs = nowMs
    found.buckets.setShare(share, nowMs)
  }

  /** Assignments that are old hold no longer. */
  expire(nowMs: number): void {
    for (const { buckets, fallbackShare, assignedMs } of this.#byName.values())
      if (nowMs - assignedMs >= staleAfterMs) buckets.setShare(fallbackShare, nowMs)
  }

  /** Since they were taken last. */
  takeDemands(nowMs: number): { readonly limit: string; readonly perSecond: number }[] {
    return [...this.#byName].map(([limit, one]) => {
      const seconds = (nowMs - one.countedMs) / 1000
      one.countedMs = nowMs
      return { limit, perSecond: one.buckets.takeDemand() / Math.max(seconds, 0.001) }
    })
  }
}

function keyOf({ name, tokenBucket, descriptor, shared }: LocalRateLimitSpec): string {
  return JSON.stringify([name, tokenBucket, descriptor, shared])
}

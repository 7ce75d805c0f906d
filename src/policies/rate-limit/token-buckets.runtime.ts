// Token buckets of one limit, one for each key: numbers that are brought up to date when somebody takes, without timers.
import { secretDigest } from '../../core/secret-digest.ts'
import type { TokenBucketSpec } from './rate-limit.spec.ts'

/** So many keys are remembered; of one more, the one that was idle longest is forgotten, and finds a full bucket when it comes back. */
export const mostBuckets = 10_000
/** Callers may send keys of any length: of longer ones the digest is kept. */
const longestKey = 128

interface Bucket {
  tokens: number
  /** When there were so many. */
  atMs: number
}

export class TokenBuckets {
  readonly #spec: TokenBucketSpec
  #maxTokens = 0
  #tokensPerMs = 0
  /** Since it was asked for last. */
  #demand = 0
  #left = 0
  /** The one idle longest comes first. */
  readonly #buckets = new Map<string, Bucket>()

  /** `share`: of the limit that is this process's own. A bucket holds one token at least: it would never let anything pass. */
  constructor(spec: TokenBucketSpec, share: number) {
    this.#spec = spec
    this.#size(share)
  }

  get maxTokens(): number {
    return this.#maxTokens
  }

  /** Whole tokens in the bucket that was taken from last. */
  get left(): number {
    return Math.floor(this.#left)
  }

  /** What has come in until now came in at the share before. */
  setShare(share: number, nowMs: number): void {
    for (const bucket of this.#buckets.values()) this.#fill(bucket, nowMs)
    this.#size(share)
    for (const bucket of this.#buckets.values()) bucket.tokens = Math.min(this.#maxTokens, bucket.tokens)
  }

  /** How many tokens were asked for since the last time, in vain or not. */
  takeDemand(): number {
    const demand = this.#demand
    this.#demand = 0
    return demand
  }

  #size(share: number): void {
    const { maxTokens, tokensPerFill, fillIntervalMs } = this.#spec
    this.#maxTokens = Math.max(1, maxTokens * share)
    this.#tokensPerMs = (tokensPerFill * share) / fillIntervalMs
  }

  #fill(bucket: Bucket, nowMs: number): void {
    bucket.tokens = Math.min(this.#maxTokens, bucket.tokens + (nowMs - bucket.atMs) * this.#tokensPerMs)
    bucket.atMs = nowMs
  }

  /** 0: one token was taken. Else milliseconds until there is one. */
  take(key: string, nowMs: number): number {
    const bucket = this.#bucketOf(key.length > longestKey ? secretDigest(key).toString('base64url') : key, nowMs)
    this.#fill(bucket, nowMs)
    this.#demand++
    // what was added up in fractions may miss a whole by a hair
    if (bucket.tokens >= 1 - 1e-9) {
      bucket.tokens = Math.max(0, bucket.tokens - 1)
      this.#left = bucket.tokens
      return 0
    }
    return (1 - bucket.tokens) / this.#tokensPerMs
  }

  /** Milliseconds in which an empty bucket fills. */
  get fillMs(): number {
    return this.#maxTokens / this.#tokensPerMs
  }

  get size(): number {
    return this.#buckets.size
  }

  #bucketOf(key: string, nowMs: number): Bucket {
    const known = this.#buckets.get(key)
    if (known !== undefined) {
      if (this.#buckets.size > 1) {
        this.#buckets.delete(key)
        this.#buckets.set(key, known)
      }
      return known
    }
    if (this.#buckets.size >= mostBuckets) this.#buckets.delete(this.#buckets.keys().next().value as string)
    const bucket = { tokens: this.#maxTokens, atMs: nowMs }
    this.#buckets.set(key, bucket)
    return bucket
  }
}

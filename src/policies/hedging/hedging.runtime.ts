// How long a request may wait for its response before another endpoint is asked as well: learned from the response times of the destination.
import type { RequestHead } from '../../contracts/http-message.ts'
import type { HedgingSpec } from './hedging.spec.ts'

/** Buckets of the logarithm of the time: each is 9 % wider than the one before. */
const bucketsPerOctave = 8
const octaves = 22
/** Upper bound of the first bucket, in milliseconds; the last one ends at more than an hour. */
const firstMs = 1
/** Response times that are kept; older ones count half each time it is full. */
const keptTimes = 4_096
/** So many are needed to say what is usual. */
const fewestTimes = 100
/** The percentile is looked up anew after so many. */
const refreshedAfter = 64

/** Safe methods (RFC 9110 section 9.2.1): that two endpoints work on them at once changes nothing. */
const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

export function mayBeHedged({ method }: RequestHead): boolean {
  return safeMethods.has(method)
}

export class HedgeDelay {
  readonly #spec: HedgingSpec
  readonly #counts = new Uint32Array(bucketsPerOctave * octaves)
  #total = 0
  #sinceRefresh = 0
  #delayMs: number

  constructor(spec: HedgingSpec) {
    this.#spec = spec
    this.#delayMs = spec.minDelayMs
  }

  /** How long to wait, in milliseconds. */
  get delayMs(): number {
    return this.#delayMs
  }

  responded(afterMs: number): void {
    const bucket = afterMs <= firstMs ? 0 : Math.ceil(Math.log2(afterMs / firstMs) * bucketsPerOctave)
    const last = this.#counts.length - 1
    this.#counts[Math.min(bucket, last)] = (this.#counts[Math.min(bucket, last)] as number) + 1
    if (++this.#total >= keptTimes) this.#forgetHalf()
    if (++this.#sinceRefresh >= refreshedAfter) this.#refresh()
  }

  #forgetHalf(): void {
    this.#total = 0
    for (let bucket = 0; bucket < this.#counts.length; bucket++)
      this.#total += this.#counts[bucket] = (this.#counts[bucket] as number) >>> 1
  }

  #refresh(): void {
    this.#sinceRefresh = 0
    if (this.#total < fewestTimes) return
    const { percentile, factor, minDelayMs } = this.#spec
    const wanted = (this.#total * percentile) / 100
    let seen = 0
    let bucket = 0
    while (bucket < this.#counts.length - 1 && (seen += this.#counts[bucket] as number) < wanted) bucket++
    this.#delayMs = Math.max(minDelayMs, factor * firstMs * 2 ** (bucket / bucketsPerOctave))
  }
}

// What was counted in a time, summed by series once, and by whatever groups are asked for from that.
import { grpcFaults } from '../../contracts/telemetry/grpc-faults.ts'
import { durationBucketsSeconds } from '../../contracts/telemetry/metrics.ts'
import { bucketQuantile } from '../../core/metrics/bucket-quantile.ts'
import type { TrafficGroup, TrafficSeries, TrafficSummary } from './observed-traffic.ts'
import { countKinds } from './traffic-ring.ts'

// made for every group of every picture: few and small objects
const none: readonly number[] = Array.from({ length: countKinds }, () => 0)
/** Upper bounds in milliseconds, with the counts that are being looked at. */
const buckets = [...durationBucketsSeconds, Infinity].map((seconds): [number, number] => [seconds * 1000, 0])

interface SeriesCounts {
  readonly series: TrafficSeries
  readonly counts: number[]
}

export class TrafficPeriod {
  readonly #byNumber: (SeriesCounts | undefined)[] = []
  /** As they first happened. */
  readonly #series: SeriesCounts[] = []

  add(number: number, series: TrafficSeries, kind: number, count: number): void {
    let found = this.#byNumber[number]
    if (found === undefined) {
      found = { series, counts: none.slice() }
      this.#byNumber[number] = found
      this.#series.push(found)
    }
    found.counts[kind] = (found.counts[kind] as number) + count
  }

  /** `keyOf` says which group a series belongs to; undefined: to none. */
  groups(keyOf: (series: TrafficSeries) => string | undefined): Map<string, TrafficGroup> {
    const tallies = new Map<string, Tally>()
    for (const { series, counts } of this.#series) {
      const key = keyOf(series)
      if (key === undefined) continue
      let tally = tallies.get(key)
      if (tally === undefined) tallies.set(key, (tally = new Tally()))
      tally.add(series, counts)
    }
    return new Map([...tallies].map(([key, tally]) => [key, tally.group()]))
  }

  /** All of it. */
  summary(): TrafficSummary {
    const tally = new Tally()
    for (const { series, counts } of this.#series) tally.add(series, counts)
    return tally.summary()
  }
}

/** Adds counts of several series up. */
class Tally {
  #requests = 0
  #failed = 0
  #mtls = 0
  #plaintext = 0
  readonly #codes: Record<string, number> = {}
  readonly #counts = none.slice()

  add(series: TrafficSeries, counts: readonly number[]): void {
    let sum = 0
    for (let kind = 0; kind < countKinds; kind++) {
      const count = counts[kind] as number
      sum += count
      this.#counts[kind] = (this.#counts[kind] as number) + count
    }
    this.#requests += sum
    if (hasFailed(series)) this.#failed += sum
    if (series.protocol !== 'tcp' && series.workload !== '') {
      if (series.mtls) this.#mtls += sum
      else this.#plaintext += sum
    }
    const code = series.grpcStatus === '' ? series.code : `grpc ${series.grpcStatus}`
    this.#codes[code] = (this.#codes[code] ?? 0) + sum
  }

  group(): TrafficGroup {
    return { ...this.summary(), codes: this.#codes, mtls: this.#mtls, plaintext: this.#plaintext }
  }

  summary(): TrafficSummary {
    let upTo = 0
    for (const [index, bucket] of buckets.entries()) {
      upTo += this.#counts[index] as number
      bucket[1] = upTo
    }
    return {
      requests: this.#requests,
      failed: this.#failed,
      ...(upTo > 0 && {
        durationMs: { p50: quantile(0.5), p90: quantile(0.9), p95: quantile(0.95), p99: quantile(0.99) },
      }),
    }
  }
}

export function hasFailed({ protocol, code, grpcStatus }: TrafficSeries): boolean {
  if (protocol === 'tcp') return code === 'failed'
  const status = Number(code)
  return code === '0' || status >= 500 || (grpcStatus !== '' && grpcFaults.has(Number(grpcStatus)))
}

/** Of what stands in `buckets`. */
function quantile(share: number): number {
  return bucketQuantile(buckets, share) as number
}

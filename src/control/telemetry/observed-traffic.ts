// What the control plane knows of traffic: requests of each edge over time, as proxies have counted them. Bounded; in memory alone.
import { grpcFaults } from '../../contracts/telemetry/grpc-faults.ts'
import { durationBucketsSeconds } from '../../contracts/telemetry/metrics.ts'
import { serviceHost } from '../../contracts/xds/names.ts'
import type { Clock } from '../../core/clock.ts'
import { bucketQuantile } from '../../core/metrics/bucket-quantile.ts'
import { TrafficRing, countKinds } from './traffic-ring.ts'

/** One kind of requests between two parties. */
export interface TrafficSeries {
  /** Whose proxy counted. `destination`: of callers that have no proxy that counts. */
  readonly reporter: 'source' | 'gateway' | 'destination'
  /** "namespace/name" of workload or gateway; "" when it is not known. */
  readonly source: string
  /** SPIFFE ID; "" when it is not known. */
  readonly sourcePrincipal: string
  /** "reviews.default.svc.cluster.local", or the host of an ExternalService; "" when it is not known. */
  readonly service: string
  /** "namespace/name" of the workload that answered; "" when none did. */
  readonly workload: string
  readonly route: string
  readonly protocol: 'http' | 'grpc' | 'tcp'
  readonly mtls: boolean
  /** HTTP status, "0" when none was sent; of connections "opened" or "failed". */
  readonly code: string
  /** Number of the gRPC status, or "". */
  readonly grpcStatus: string
}

export interface Durations {
  readonly p50: number
  readonly p90: number
  readonly p95: number
  readonly p99: number
}

export interface TrafficSummary {
  readonly requests: number
  /** Answers of 500 and above, none at all, and gRPC statuses for which the server is to blame. */
  readonly failed: number
  /** Milliseconds; absent without a request that took time. */
  readonly durationMs?: Durations
}

/** Requests from one to another, of all kinds. */
export interface ObservedEdge extends TrafficSummary {
  readonly reporter: TrafficSeries['reporter']
  readonly source: string
  readonly sourcePrincipal: string
  readonly service: string
  readonly workload: string
  readonly route: string
  readonly protocol: TrafficSeries['protocol']
  readonly mtls: boolean
  /** Requests by `code`; of gRPC by "grpc <status>". */
  readonly codes: Readonly<Record<string, number>>
}

/** Of a series of points in time. */
export interface TrafficPoint extends TrafficSummary {
  readonly startMs: number
}

export interface ObservedTrafficOptions {
  readonly clock: Clock
  /** Beyond, new ones count as one. */
  readonly maxSeries?: number
}

/** Kind of a count in the ring that is no bucket of durations: what takes no time that says anything, as a connection. */
const withoutDuration = countKinds - 1
const fineMs = 1_000
const coarseMs = 15_000
export const observedForMs: number = 6 * 3_600_000
const fineForMs = 15 * 60_000
/** 64 MB each. */
const maxWords = 16 * 1024 * 1024

/** Where the series go that are too many. */
const overflow: TrafficSeries = {
  reporter: 'source',
  source: 'overflow',
  sourcePrincipal: '',
  service: 'overflow',
  workload: '',
  route: '',
  protocol: 'http',
  mtls: false,
  code: '',
  grpcStatus: '',
}

interface Known {
  readonly series: TrafficSeries
  readonly key: string
  lastMs: number
}

export class ObservedTraffic {
  readonly #clock: Clock
  readonly #maxSeries: number
  /** By the number that the rings know it by. */
  readonly #known: (Known | undefined)[] = []
  readonly #numbers = new Map<string, number>()
  readonly #free: number[] = []
  readonly #fine = new TrafficRing({ slotMs: fineMs, slots: fineForMs / fineMs + 1, maxWords })
  readonly #coarse = new TrafficRing({ slotMs: coarseMs, slots: observedForMs / coarseMs + 1, maxWords })
  /** What came before is in the coarse ring too. */
  #foldedMs: number

  constructor({ clock, maxSeries = 10_000 }: ObservedTrafficOptions) {
    this.#clock = clock
    this.#maxSeries = maxSeries
    this.#foldedMs = floorTo(clock.nowMs(), coarseMs)
    this.#number(overflow)
  }

  /** Requests since the last time: `counts` by bucket of `durationBucketsSeconds`, +Inf last. */
  observed(series: TrafficSeries, counts: ArrayLike<number>): void {
    const nowMs = this.#now()
    this.#fine.add(nowMs, this.#number(series), counts)
  }

  /** Connections, or anything else without a duration. */
  counted(series: TrafficSeries, count: number): void {
    this.observed(series, { length: countKinds, [withoutDuration]: count })
  }

  /** Of the time [fromMs, toMs), in whole seconds; of what is older than a quarter of an hour, in whole quarters of a minute. */
  edges(fromMs: number, toMs: number): ObservedEdge[] {
    const edges = new Map<
      string,
      { readonly series: TrafficSeries; readonly tally: Tally; readonly codes: Map<string, number> }
    >()
    this.#forEach(fromMs, toMs, (series, kind, count) => {
      const key = edgeKey(series)
      let edge = edges.get(key)
      if (edge === undefined) edges.set(key, (edge = { series, tally: new Tally(), codes: new Map() }))
      edge.tally.add(series, kind, count)
      const code = series.grpcStatus === '' ? series.code : `grpc ${series.grpcStatus}`
      edge.codes.set(code, (edge.codes.get(code) ?? 0) + count)
    })
    return [...edges.values()].map(({ series, tally, codes }) => ({
      reporter: series.reporter,
      source: series.source,
      sourcePrincipal: series.sourcePrincipal,
      service: series.service,
      workload: series.workload,
      route: series.route,
      protocol: series.protocol,
      mtls: series.mtls,
      ...tally.summary(),
      codes: Object.fromEntries(codes),
    }))
  }

  /** What callers saw of a Service. */
  destination(
    { namespace, name }: { readonly namespace: string; readonly name: string },
    sinceMs: number,
  ): TrafficSummary {
    const service = serviceHost(name, namespace)
    const tally = new Tally()
    this.#forEach(sinceMs, Infinity, (series, kind, count) => {
      if (series.service === service) tally.add(series, kind, count)
    })
    return tally.summary()
  }

  /** One point for each `stepMs`, also where nothing happened; `fromMs` is rounded down to one. */
  points(fromMs: number, toMs: number, stepMs: number, of: (series: TrafficSeries) => boolean): TrafficPoint[] {
    const startMs = floorTo(fromMs, stepMs)
    const tallies: Tally[] = []
    for (let at = startMs; at < toMs; at += stepMs) tallies.push(new Tally())
    this.#forEach(startMs, toMs, (series, kind, count, slotMs) => {
      if (of(series)) tallies[Math.floor((slotMs - startMs) / stepMs)]?.add(series, kind, count)
    })
    return tallies.map((tally, index) => ({ startMs: startMs + index * stepMs, ...tally.summary() }))
  }

  #forEach(
    fromMs: number,
    toMs: number,
    visit: (series: TrafficSeries, kind: number, count: number, slotMs: number) => void,
  ): void {
    const nowMs = this.#now()
    const known = this.#known
    const seen = (number: number, kind: number, count: number, slotMs: number): void => {
      const found = known[number]
      if (found !== undefined) visit(found.series, kind, count, slotMs)
    }
    // where the fine ring takes over: at the first whole slot of the coarse one that it knows all of
    const switchMs = Math.min(ceilTo(this.#fine.knownSinceMs(nowMs), coarseMs), this.#foldedMs)
    const sinceMs = Math.max(floorTo(fromMs, coarseMs), this.#coarse.knownSinceMs(nowMs))
    this.#coarse.forEach(sinceMs, Math.min(toMs, switchMs), seen)
    this.#fine.forEach(Math.max(floorTo(fromMs, fineMs), switchMs), toMs, seen)
  }

  /** Also puts what is over into the coarse ring, before the fine one forgets it. */
  #now(): number {
    const nowMs = this.#clock.nowMs()
    const untilMs = floorTo(nowMs, coarseMs)
    if (untilMs <= this.#foldedMs) return nowMs
    let slotMs = this.#foldedMs
    let sums = new Map<number, Float64Array>()
    const add = (): void => {
      for (const [number, counts] of sums) this.#coarse.add(slotMs, number, counts)
      sums = new Map()
    }
    this.#fine.forEach(this.#foldedMs, untilMs, (number, kind, count, startMs) => {
      const at = floorTo(startMs, coarseMs)
      if (at !== slotMs) add()
      slotMs = at
      let counts = sums.get(number)
      if (counts === undefined) sums.set(number, (counts = new Float64Array(countKinds)))
      counts[kind] = (counts[kind] as number) + count
    })
    add()
    this.#foldedMs = untilMs
    return nowMs
  }

  #number(series: TrafficSeries): number {
    const nowMs = this.#clock.nowMs()
    const key = `${edgeKey(series)}\n${series.code}\n${series.grpcStatus}`
    let number = this.#numbers.get(key)
    if (number === undefined) {
      if (this.#numbers.size >= this.#maxSeries) this.#forgetOld(nowMs)
      if (this.#numbers.size >= this.#maxSeries && series !== overflow) return this.#number(overflow)
      number = this.#free.pop() ?? this.#known.length
      this.#numbers.set(key, number)
      this.#known[number] = { series, key, lastMs: nowMs }
    }
    ;(this.#known[number] as Known).lastMs = nowMs
    return number
  }

  /** Of which no ring has anything any more. */
  #forgetOld(nowMs: number): void {
    for (const [number, known] of this.#known.entries()) {
      if (known === undefined || known.series === overflow || known.lastMs >= nowMs - observedForMs - coarseMs) continue
      this.#numbers.delete(known.key)
      this.#known[number] = undefined
      this.#free.push(number)
    }
  }
}

/** Adds counts up. */
class Tally {
  #requests = 0
  #failed = 0
  readonly #counts = new Float64Array(countKinds)

  add(series: TrafficSeries, kind: number, count: number): void {
    this.#requests += count
    if (hasFailed(series)) this.#failed += count
    this.#counts[kind] = (this.#counts[kind] as number) + count
  }

  summary(): TrafficSummary {
    let upTo = 0
    const buckets = [...durationBucketsSeconds, Infinity].map((seconds, index): [number, number] => {
      upTo += this.#counts[index] as number
      return [seconds * 1000, upTo]
    })
    const quantile = (share: number): number => bucketQuantile(buckets, share) as number
    return {
      requests: this.#requests,
      failed: this.#failed,
      ...(upTo > 0 && {
        durationMs: { p50: quantile(0.5), p90: quantile(0.9), p95: quantile(0.95), p99: quantile(0.99) },
      }),
    }
  }
}

function hasFailed({ protocol, code, grpcStatus }: TrafficSeries): boolean {
  if (protocol === 'tcp') return code === 'failed'
  const status = Number(code)
  return code === '0' || status >= 500 || (grpcStatus !== '' && grpcFaults.has(Number(grpcStatus)))
}

function edgeKey(series: TrafficSeries): string {
  const { reporter, source, sourcePrincipal, service, workload, route, protocol, mtls } = series
  return `${reporter}\n${source}\n${sourcePrincipal}\n${service}\n${workload}\n${route}\n${protocol}\n${mtls}`
}

function floorTo(ms: number, unitMs: number): number {
  return Math.floor(ms / unitMs) * unitMs
}

function ceilTo(ms: number, unitMs: number): number {
  return Math.ceil(ms / unitMs) * unitMs
}

// What the control plane knows of traffic: requests of each edge over time, as proxies have counted them. Bounded; in memory alone.
import { serviceHost } from '../../contracts/xds/names.ts'
import type { Clock } from '../../core/clock.ts'
import { hasFailed, TrafficPeriod } from './traffic-period.ts'
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

/** Requests of several kinds together. */
export interface TrafficGroup extends TrafficSummary {
  /** Requests by `code`; of gRPC by "grpc <status>". */
  readonly codes: Readonly<Record<string, number>>
  /** Of those that an endpoint got, with mutual TLS and without. Connections of bytes are in neither. */
  readonly mtls: number
  readonly plaintext: number
}

/** Requests from one to another. */
export type ObservedEdge = TrafficGroup & Pick<TrafficSeries, (typeof edgeFields)[number]>

/** Of a series of points in time. */
export interface TrafficPoint extends TrafficSummary {
  readonly startMs: number
}

/** Requests in each of several parts of a time, oldest first; the oldest may be shorter than the others. */
export interface TrafficHistory {
  readonly stepMs: number
  readonly requests: number[]
  readonly failed: number[]
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

const edgeFields = ['reporter', 'source', 'sourcePrincipal', 'service', 'workload', 'route', 'protocol'] as const

interface Known {
  readonly series: TrafficSeries
  readonly key: string
  lastMs: number
}

export class ObservedTraffic {
  /** Nothing is known of what was before. */
  readonly sinceMs: number
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
    this.sinceMs = clock.nowMs()
    this.#foldedMs = floorTo(this.sinceMs, coarseMs)
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
    const first = new Map<string, TrafficSeries>()
    const groups = this.groups(fromMs, toMs, (series) => {
      const key = edgeFields.map((field) => series[field]).join('\n')
      if (!first.has(key)) first.set(key, series)
      return key
    })
    return [...groups].map(([key, group]) => {
      const { reporter, source, sourcePrincipal, service, workload, route, protocol } = first.get(key) as TrafficSeries
      return { reporter, source, sourcePrincipal, service, workload, route, protocol, ...group }
    })
  }

  /** As `edges`, by whatever tells groups apart; undefined: in none. */
  groups(
    fromMs: number,
    toMs: number,
    keyOf: (series: TrafficSeries) => string | undefined,
  ): Map<string, TrafficGroup> {
    return this.period(fromMs, toMs).groups(keyOf)
  }

  /** For who asks for several kinds of groups of the same time. */
  period(fromMs: number, toMs: number, of: (series: TrafficSeries) => boolean = () => true): TrafficPeriod {
    const period = new TrafficPeriod()
    this.#forEach(fromMs, toMs, (series, kind, count, _, number) => {
      if (of(series)) period.add(number, series, kind, count)
    })
    return period
  }

  /** By group, in at most so many parts; none is shorter than what is known apart. */
  history(
    fromMs: number,
    toMs: number,
    mostParts: number,
    keyOf: (series: TrafficSeries) => string | undefined,
  ): Map<string, TrafficHistory> {
    const knownApartMs = fromMs < this.#clock.nowMs() - fineForMs ? coarseMs : fineMs
    const stepMs = ceilTo((toMs - fromMs) / mostParts, knownApartMs)
    const parts = Math.ceil((toMs - fromMs) / stepMs)
    const startMs = toMs - parts * stepMs
    const none = Array.from({ length: parts }, () => 0)
    const histories = new Map<string, TrafficHistory>()
    this.#forEach(fromMs, toMs, (series, _, count, slotMs) => {
      const key = keyOf(series)
      if (key === undefined) return
      let history = histories.get(key)
      if (history === undefined) histories.set(key, (history = { stepMs, requests: [...none], failed: [...none] }))
      const part = Math.max(0, Math.floor((slotMs - startMs) / stepMs))
      history.requests[part] = (history.requests[part] as number) + count
      if (hasFailed(series)) history.failed[part] = (history.failed[part] as number) + count
    })
    return histories
  }

  /** What callers saw of a Service. */
  destination(
    { namespace, name }: { readonly namespace: string; readonly name: string },
    sinceMs: number,
  ): TrafficSummary {
    const service = serviceHost(name, namespace)
    return this.period(sinceMs, Infinity, (series) => series.service === service).summary()
  }

  /** One point for each `stepMs`, also where nothing happened; `fromMs` is rounded down to one. */
  points(fromMs: number, toMs: number, stepMs: number, of: (series: TrafficSeries) => boolean): TrafficPoint[] {
    const startMs = floorTo(fromMs, stepMs)
    const periods: TrafficPeriod[] = []
    for (let at = startMs; at < toMs; at += stepMs) periods.push(new TrafficPeriod())
    this.#forEach(startMs, toMs, (series, kind, count, slotMs, number) => {
      if (of(series)) periods[Math.floor((slotMs - startMs) / stepMs)]?.add(number, series, kind, count)
    })
    return periods.map((period, index) => ({ startMs: startMs + index * stepMs, ...period.summary() }))
  }

  #forEach(
    fromMs: number,
    toMs: number,
    visit: (series: TrafficSeries, kind: number, count: number, slotMs: number, number: number) => void,
  ): void {
    const nowMs = this.#now()
    const known = this.#known
    const seen = (number: number, kind: number, count: number, slotMs: number): void => {
      const found = known[number]
      if (found !== undefined) visit(found.series, kind, count, slotMs, number)
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
    const key = seriesKey(series)
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

function seriesKey(series: TrafficSeries): string {
  const { reporter, source, sourcePrincipal, service, workload, route, protocol, mtls, code, grpcStatus } = series
  return `${reporter}\n${source}\n${sourcePrincipal}\n${service}\n${workload}\n${route}\n${protocol}\n${mtls}\n${code}\n${grpcStatus}`
}

function floorTo(ms: number, unitMs: number): number {
  return Math.floor(ms / unitMs) * unitMs
}

function ceilTo(ms: number, unitMs: number): number {
  return Math.ceil(ms / unitMs) * unitMs
}

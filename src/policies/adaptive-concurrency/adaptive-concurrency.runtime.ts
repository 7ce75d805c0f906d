// How many requests the application behind a sidecar gets at once: learned from how long its answers take (Envoy's gradient controller).
import type { FinishedAttempt } from '../../contracts/load-balancer.ts'
import type { Clock } from '../../core/clock.ts'
import type { HeaderList } from '../../core/header-list.ts'
import type { Random } from '../../core/random.ts'
import type { AdaptiveConcurrencySpec } from './adaptive-concurrency.spec.ts'

/** Which limit a request ran into, in metrics. */
export type AdaptiveConcurrencyLimit = 'adaptive_concurrency'

/** While nothing is known: what the application can do is known after a few answers, what is queued has to be worked off. */
const initialLimit = 100
/** A window is not judged by fewer answers. */
const fewestSamples = 25
/** The latest times that are kept. */
const keptSamples = 256
/** The limit at most halves and at most doubles in a window. */
const leastGradient = 0.5
const greatestGradient = 2
/** After so many windows at the least gradient it is time to look whether a smaller limit helps at all. */
const windowsBeforeProbe = 3
const leastBetweenProbesMs = 1_000
/** What was measured first may have been measured under load. */
const firstIntervalMs = 1_000
/** With more of the requests given up by their callers it is not known how long answers take. */
const mostGivenUp = 0.1
/** A time that is not lower by more than this is the same. */
const sameTime = 0.9
const longestLevelMs = 10_000
/** No clock tells it better. */
const leastMs = 0.001
/** What a proxy's own work may add now and then. */
const leastBufferMs = 1

/** As parts of the limit: those of the least urgent are refused first. */
const sharesByUrgency = [1, 1, 1, 1, 0.8, 0.8, 0.8, 0.5] as const
const [, , , , , , , leastShare] = sharesByUrgency

/** A look at how long answers take with fewer requests under way: at half as many, and again while that helps. */
interface Probe {
  /** Most under way at this level. */
  level: number
  /** Requests that began earlier waited for others. Infinity: there are still too many under way. */
  fromMs: number
  samples: number
  /** Requests whose callers did not wait for the answer. */
  givenUp: number
  /** At the level before. */
  rttMs: number
  untilMs: number
  /** When it began. */
  readonly underWay: number
  readonly firstRttMs: number
}

export interface AdaptiveConcurrencyDeps {
  readonly clock: Clock
  readonly random: Random
  /** Hears of the limit when it is calculated anew. */
  changed(limit: number): void
}

export class AdaptiveConcurrency {
  readonly #spec: AdaptiveConcurrencySpec
  readonly #deps: AdaptiveConcurrencyDeps
  readonly #sinceMs: number
  readonly #kept = new Float64Array(keptSamples)
  readonly #sorted = new Float64Array(keptSamples)
  #next = 0
  #underWay = 0
  #limit: number
  #minRttMs = Infinity
  #windowSamples = 0
  #windowEndsMs: number
  /** Most under way in this window, and in those of this interval in which all was well. */
  #peak = 0
  #calmPeak = 0
  #intervalSamples = 0
  #givenUp = 0
  #intervalEndsMs: number
  /** Something was refused in this interval. */
  #refused = false
  #steepWindows = 0
  #probedMs = -Infinity
  #probe: Probe | undefined

  constructor(spec: AdaptiveConcurrencySpec, deps: AdaptiveConcurrencyDeps) {
    this.#spec = spec
    this.#deps = deps
    const nowMs = deps.clock.monotonicMs()
    this.#sinceMs = nowMs
    this.#limit = Math.min(initialLimit, spec.maxConcurrencyLimit)
    this.#windowEndsMs = nowMs + spec.concurrencyUpdateIntervalMs
    this.#intervalEndsMs = nowMs + firstIntervalMs
  }

  get limit(): number {
    return Math.floor(this.#limit)
  }

  /** Time that an answer takes when nothing waits, in milliseconds; Infinity: not known yet. */
  get minRttMs(): number {
    return this.#minRttMs
  }

  get underWay(): number {
    return this.#underWay
  }

  /** False: the request with these headers is one too many. */
  admits(headers: HeaderList): boolean {
    const most = this.#probe?.level ?? this.limit
    if (this.#underWay < most * leastShare || this.#underWay < most * shareOf(headers.get('priority'))) return true
    this.#refused = true
    // nobody came who would have told
    if (this.#probe !== undefined && this.#deps.clock.monotonicMs() >= this.#probe.untilMs) this.#endProbe()
    return false
  }

  started(): void {
    if (++this.#underWay > this.#peak) this.#peak = this.#underWay
  }

  /** Once for each request, when its answer has begun, or will not. */
  over({ outcome, status, startMs, respondedMs }: FinishedAttempt): void {
    if (startMs < this.#sinceMs) return
    this.#underWay--
    const nowMs = respondedMs === 0 ? this.#deps.clock.monotonicMs() : respondedMs
    const tookMs = nowMs - startMs
    // To fail fast is not to be fast. Of an answer that is not waited for any more it is known that it would have taken longer.
    const given = outcome === 'response' && status < 500
    const givenUp = (outcome === 'timeout' || outcome === 'cancelled') && tookMs > this.#minRttMs
    if (!given && !givenUp) return
    if (this.#probe === undefined) this.#sample(tookMs, given, nowMs)
    else this.#sampleProbe(this.#probe, tookMs, given, startMs, nowMs)
  }

  #sample(tookMs: number, given: boolean, nowMs: number): void {
    this.#keep(tookMs)
    this.#windowSamples++
    this.#intervalSamples++
    if (!given) this.#givenUp++
    if (this.#minRttMs === Infinity) {
      if (this.#intervalSamples >= this.#spec.minRtt.requestCount) this.#minRttMs = this.#latest(this.#intervalSamples)
    } else if (nowMs >= this.#windowEndsMs && this.#windowSamples >= fewestSamples) this.#closeWindow(nowMs)
  }

  #closeWindow(nowMs: number): void {
    const { concurrencyUpdateIntervalMs } = this.#spec
    const rttMs = this.#latest(this.#windowSamples)
    const gradient = Math.max(leastGradient, Math.min(greatestGradient, this.#goodRttMs / Math.max(rttMs, leastMs)))
    if (gradient >= 1) this.#calmPeak = Math.max(this.#calmPeak, this.#peak)
    // A limit far above what is ever under way limits nothing: it would take long to come down.
    const base = gradient >= 1 ? this.#limit : Math.min(this.#limit, 2 * Math.max(this.#calmPeak, this.#peak))
    this.#limit = this.#clamped(base * gradient)
    this.#steepWindows = gradient === leastGradient ? this.#steepWindows + 1 : 0
    this.#beginWindow(nowMs + concurrencyUpdateIntervalMs)
    this.#deps.changed(this.limit)
    const steep = this.#steepWindows >= windowsBeforeProbe && nowMs - this.#probedMs >= leastBetweenProbesMs
    const due = nowMs >= this.#intervalEndsMs && this.#intervalSamples >= this.#spec.minRtt.requestCount
    const pressed = this.#refused || this.#givenUp > mostGivenUp * this.#intervalSamples
    if (steep || (due && pressed)) this.#beginProbe(rttMs, nowMs)
    else if (due) {
      this.#minRttMs = this.#latest(this.#intervalSamples)
      this.#beginInterval(nowMs)
    }
  }

  #beginProbe(rttMs: number, nowMs: number): void {
    const underWay = this.#underWay
    const level = Math.min(this.limit, underWay)
    this.#probe = { level, fromMs: Infinity, samples: 0, givenUp: 0, rttMs, untilMs: 0, underWay, firstRttMs: rttMs }
    this.#halve(this.#probe, nowMs)
  }

  #halve(probe: Probe, nowMs: number): void {
    probe.level = Math.max(this.#spec.minRtt.minConcurrency, Math.ceil(probe.level / 2))
    probe.fromMs = this.#underWay <= probe.level ? nowMs : Infinity
    probe.samples = 0
    probe.givenUp = 0
    probe.untilMs = nowMs + longestLevelMs
  }

  #sampleProbe(probe: Probe, tookMs: number, given: boolean, startMs: number, nowMs: number): void {
    if (probe.fromMs === Infinity && this.#underWay <= probe.level) probe.fromMs = nowMs
    const { requestCount, minConcurrency } = this.#spec.minRtt
    if (startMs >= probe.fromMs && given) {
      this.#keep(tookMs)
      probe.samples++
    } else if (startMs >= probe.fromMs) probe.givenUp++
    if (probe.samples < requestCount) {
      if (nowMs >= probe.untilMs) this.#endProbe()
      else if (probe.givenUp >= requestCount && probe.level > minConcurrency) this.#halve(probe, nowMs)
      return
    }
    const rttMs = this.#latest(probe.samples)
    const helped = rttMs < probe.rttMs * sameTime
    const known = rttMs * sameTime <= this.#minRttMs && rttMs >= this.#minRttMs * sameTime
    probe.rttMs = Math.min(rttMs, probe.rttMs)
    if (helped && !known && probe.level > minConcurrency) {
      this.#halve(probe, nowMs)
      return
    }
    this.#minRttMs = probe.rttMs
    // Little's law: of those under way, so many were at work.
    const atWork = probe.underWay * (this.#goodRttMs / probe.firstRttMs)
    if (probe.rttMs < probe.firstRttMs * sameTime) this.#limit = this.#clamped(Math.min(this.#limit, atWork))
    this.#endProbe()
  }

  #endProbe(): void {
    const nowMs = this.#deps.clock.monotonicMs()
    this.#probe = undefined
    this.#probedMs = nowMs
    this.#steepWindows = 0
    this.#deps.changed(this.limit)
    this.#beginWindow(nowMs + this.#spec.concurrencyUpdateIntervalMs)
    this.#beginInterval(nowMs)
  }

  #beginWindow(endsMs: number): void {
    this.#windowSamples = 0
    this.#windowEndsMs = endsMs
    this.#peak = this.#underWay
  }

  #beginInterval(nowMs: number): void {
    this.#intervalSamples = 0
    this.#intervalEndsMs = this.#nextInterval(nowMs)
    this.#refused = false
    this.#givenUp = 0
    this.#calmPeak = 0
  }

  get #goodRttMs(): number {
    return this.#minRttMs + Math.max(leastBufferMs, (this.#minRttMs * this.#spec.minRtt.bufferPercent) / 100)
  }

  /** With room to grow. */
  #clamped(limit: number): number {
    const { maxConcurrencyLimit, minRtt } = this.#spec
    return Math.max(minRtt.minConcurrency, Math.min(maxConcurrencyLimit, limit + Math.sqrt(limit)))
  }

  /** Proxies do not all look at the same time. */
  #nextInterval(nowMs: number): number {
    const { intervalMs, jitterPercent } = this.#spec.minRtt
    return nowMs + intervalMs * (1 + (jitterPercent / 100) * this.#deps.random.next())
  }

  #keep(tookMs: number): void {
    this.#kept[this.#next] = tookMs
    this.#next = (this.#next + 1) % keptSamples
  }

  /** The percentile of the latest times. */
  #latest(samples: number): number {
    const count = Math.min(samples, keptSamples)
    for (let i = 0; i < count; i++)
      this.#sorted[i] = this.#kept[(this.#next - 1 - i + keptSamples) % keptSamples] as number
    const index = Math.min(count - 1, Math.floor((count * this.#spec.sampleAggregatePercentile) / 100))
    return this.#sorted.subarray(0, count).toSorted()[index] as number
  }
}

/** `priority` as RFC 9218 writes it: "u=5, i". It can make a request less urgent than others, never more. */
function shareOf(priority: string | undefined): number {
  if (priority === undefined) return 1
  const urgency = /(?:^|,)\s*u=([0-7])\s*(?:$|[,;])/.exec(priority)?.[1]
  return urgency === undefined ? 1 : (sharesByUrgency[Number(urgency)] as number)
}

// What a simulation has shown, in figures: the same for the terminal, JSON and SVG. Nothing in it depends on the machine that ran it.
import type { ScenarioEvent, ScenarioExpectations } from '../../control/model/scenario-kind.ts'
import { durationMs } from '../../policies/scalars.schema.ts'
import type { ApplicationInstance } from './application-instance.ts'
import { percentile, type Interval } from './measurements.ts'
import type { OnwardTarget } from './onward-calls.ts'
import type { Fault } from './scenario-events.ts'
import type { SimulationResult } from './simulation.ts'

export interface SimulationReport {
  readonly scenario: string
  readonly seed: number
  readonly durationMs: number
  readonly events: readonly { readonly atMs: number; readonly forMs?: number; readonly what: string }[]
  readonly runs: readonly RunReport[]
}

/** One mesh. */
export interface RunReport {
  readonly name: string
  readonly requests: number
  readonly succeeded: number
  readonly successRatePercent: number
  /** By what callers saw. */
  readonly failures: Readonly<Record<string, number>>
  /** Of those that succeeded; absent: none did. */
  readonly latencyMs?: Latency
  readonly attempts: number
  /** Attempts per request. */
  readonly retryAmplification: number
  readonly applications: readonly LoadSpread[]
  /** What applications asked of services; absent: nothing. */
  readonly calls?: readonly CallReport[]
  readonly faults: readonly FaultReport[]
  readonly expectations: readonly Expectation[]
  readonly series: readonly IntervalReport[]
}

interface Latency {
  readonly mean: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

/** Requests that the instances of a workload got. */
export interface LoadSpread {
  readonly workload: string
  readonly instances: number
  readonly least: number
  readonly mean: number
  readonly most: number
  /** Standard deviation per mean. */
  readonly variation: number
  /** Percent of all by zone. */
  readonly zones: Readonly<Record<string, number>>
  /** Of each instance, in their order; for up to a hundred. */
  readonly perInstance?: readonly number[]
}

/** Of the instances of a workload to one service. */
export interface CallReport {
  readonly workload: string
  readonly service: string
  readonly calls: number
  readonly successRatePercent: number
  /** Attempts per call. */
  readonly retryAmplification: number
}

/** How long proxies took to pass over instances in trouble; absent: none has. Of proxies times instances. */
export interface FaultReport {
  readonly what: string
  readonly atMs: number
  readonly instances: number
  readonly ejections: number
  /** Median over those that did. */
  readonly timeToEjectMs?: number
  /** From the end of the trouble until they were used again, likewise. */
  readonly timeToRecoverMs?: number
}

export interface Expectation {
  readonly what: string
  readonly wanted: string
  readonly found: string
  readonly met: boolean
}

export interface IntervalReport {
  readonly requests: number
  readonly failed: number
  readonly attempts: number
  readonly p50Ms?: number
  readonly p99Ms?: number
}

/** More would only fill files. */
const mostListed = 100

export function reportRun(name: string, result: SimulationResult, expected: ScenarioExpectations): RunReport {
  const { measurements, instances, faults, calls } = result
  const { requests, succeeded, attempts, unanswered } = measurements
  const failures = new Map(measurements.failures)
  if (unanswered > 0) failures.set('no answer', (failures.get('no answer') ?? 0) + unanswered)
  const latencyMs = latencyOf(measurements.latenciesMs())
  const figures = {
    successRatePercent: requests === 0 ? 100 : round((100 * succeeded) / requests, 4),
    retryAmplification: requests === 0 ? 1 : round(attempts / requests, 4),
  }
  return {
    name,
    requests,
    succeeded,
    successRatePercent: figures.successRatePercent,
    failures: Object.fromEntries([...failures].toSorted(([a], [b]) => (a < b ? -1 : 1))),
    ...(latencyMs === undefined ? {} : { latencyMs }),
    attempts,
    retryAmplification: figures.retryAmplification,
    applications: [...Map.groupBy(instances, ({ model }) => model.workload)].map(([workload, all]) =>
      spreadOf(workload, all),
    ),
    ...(calls.length === 0 ? {} : { calls: calls.map(reportCalls) }),
    faults: faults.map((fault) => reportFault(fault, result)),
    expectations: check(expected, { ...figures, latencyMs }),
    series: measurements.series.map(reportInterval),
  }
}

/** "kill 2 of reviews in eu-1", "surge of web ×10". */
export function describeEvent({ action, workload, zone, count, factor, status, percent }: ScenarioEvent): string {
  const where = zone === undefined ? '' : ` in ${zone}`
  const whom = `${count === undefined ? '' : `${count} of `}${workload}${where}`
  if (action === 'Surge') return `surge of ${workload} ×${factor}`
  if (action === 'Slow') return `slow ×${factor}: ${whom}`
  if (action === 'Fail') return `fail ${percent} % with ${status}: ${whom}`
  return `${action.toLowerCase()} ${whom}`
}

function latencyOf(ascending: Float64Array): Latency | undefined {
  if (ascending.length === 0) return undefined
  const at = (percent: number): number => round(percentile(ascending, percent) as number, 3)
  const mean = round(ascending.reduce((sum, one) => sum + one, 0) / ascending.length, 3)
  return { mean, p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), max: at(100) }
}

function reportCalls({ workload, service, counts: { calls, failed, attempts } }: OnwardTarget): CallReport {
  return {
    workload,
    service,
    calls,
    successRatePercent: calls === 0 ? 100 : round((100 * (calls - failed)) / calls, 4),
    retryAmplification: calls === 0 ? 1 : round(attempts / calls, 4),
  }
}

function spreadOf(workload: string, instances: readonly ApplicationInstance[]): LoadSpread {
  const counts = instances.map(({ received }) => received)
  const sum = counts.reduce((total, one) => total + one, 0)
  const mean = sum / counts.length
  const variance = counts.reduce((total, one) => total + (one - mean) ** 2, 0) / counts.length
  const zones = new Map<string, number>()
  for (const { model, received } of instances)
    if (model.zone !== undefined) zones.set(model.zone, (zones.get(model.zone) ?? 0) + received)
  return {
    workload,
    instances: counts.length,
    least: counts.reduce((least, one) => Math.min(least, one), Infinity),
    mean: round(mean, 2),
    most: counts.reduce((most, one) => Math.max(most, one), 0),
    variation: mean === 0 ? 0 : round(Math.sqrt(variance) / mean, 4),
    zones: Object.fromEntries([...zones].map(([zone, count]) => [zone, sum === 0 ? 0 : round((100 * count) / sum, 2)])),
    ...(counts.length > mostListed ? {} : { perInstance: counts }),
  }
}

function reportFault({ event, startMs, endMs, instances }: Fault, { availability }: SimulationResult): FaultReport {
  const addresses = new Set(instances.map(({ address }) => address))
  const ejectedAfter = new Map<string, number>()
  const back = new Map<string, number>()
  for (const { atMs, proxy, address, ejected } of availability.changes) {
    if (!addresses.has(address) || atMs < startMs) continue
    const key = `${proxy} ${address}`
    if (ejected && atMs <= endMs && !ejectedAfter.has(key)) ejectedAfter.set(key, atMs - startMs)
    if (ejected) back.delete(key)
    // that it was let in while the trouble lasted is no recovery
    else if (ejectedAfter.has(key) && atMs >= endMs) back.set(key, atMs - endMs)
  }
  const toEject = median(ejectedAfter.values())
  const toRecover = median(back.values())
  return {
    what: describeEvent(event),
    atMs: startMs,
    instances: instances.length,
    ejections: ejectedAfter.size,
    ...(toEject === undefined ? {} : { timeToEjectMs: round(toEject, 1) }),
    ...(toRecover === undefined ? {} : { timeToRecoverMs: round(toRecover, 1) }),
  }
}

function median(values: Iterable<number>): number | undefined {
  return percentile(
    [...values].toSorted((a, b) => a - b),
    50,
  )
}

/** What was never answered failed when it was asked. */
function reportInterval({ requests, failed, attempts, waiting, latenciesMs }: Interval): IntervalReport {
  const ascending = Float64Array.from(latenciesMs).toSorted()
  const p50 = percentile(ascending, 50)
  const p99 = percentile(ascending, 99)
  return {
    requests,
    failed: failed + waiting,
    attempts,
    ...(p50 === undefined ? {} : { p50Ms: round(p50, 3) }),
    ...(p99 === undefined ? {} : { p99Ms: round(p99, 3) }),
  }
}

interface Figures {
  readonly successRatePercent: number
  readonly retryAmplification: number
  readonly latencyMs: Latency | undefined
}

function check(expected: ScenarioExpectations, figures: Figures): readonly Expectation[] {
  const { successRate, retryAmplification } = expected
  const expectations: Expectation[] = []
  if (successRate !== undefined)
    expectations.push({
      what: 'successRate',
      wanted: `at least ${successRate} %`,
      found: `${figures.successRatePercent} %`,
      met: figures.successRatePercent >= successRate,
    })
  for (const what of ['p50', 'p90', 'p99'] as const) {
    const wanted = expected[what]
    if (wanted === undefined) continue
    const found = figures.latencyMs?.[what]
    expectations.push({
      what,
      wanted: `at most ${wanted}`,
      found: found === undefined ? 'no answer' : `${found}ms`,
      met: found !== undefined && found <= durationMs(wanted),
    })
  }
  if (retryAmplification !== undefined)
    expectations.push({
      what: 'retryAmplification',
      wanted: `at most ${retryAmplification}`,
      found: String(figures.retryAmplification),
      met: figures.retryAmplification <= retryAmplification,
    })
  return expectations
}

function round(value: number, digits: number): number {
  const unit = 10 ** digits
  return Math.round(value * unit) / unit
}

// Runs the ChaosExperiments of the configuration: looks at what callers see each second, and says which faults are at work.
import { serviceHost } from '../../contracts/xds/names.ts'
import type { Clock, Timer } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logger.ts'
import { formatRfc3339 } from '../../core/rfc3339.ts'
import { WatchableValue } from '../../core/watchable.ts'
import type { Watchable } from '../../core/watchable.ts'
import type { MeshExperiment, MeshFaults, MeshSnapshot } from '../snapshot/mesh-snapshot.ts'
import { badCondition, goodCondition } from '../snapshot/status.ts'
import type { DocumentStatus } from '../snapshot/status.ts'
import type { Store } from '../store/store.ts'
import { advanceExperiment } from './advance-experiment.ts'
import type { ObservedRequests } from './advance-experiment.ts'
import { isFinished, pendingRecord, resumedRecord } from './experiment-record.ts'
import type { ExperimentRecord } from './experiment-record.ts'

export interface ExperimentRunnerOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly store: Pick<Store, 'list' | 'write'>
  readonly snapshot: Watchable<MeshSnapshot>
  /** What callers of that Service have seen since then. */
  readonly observed: (service: MeshExperiment['judged'], sinceMs: number) => ObservedRequests
}

const prefix = 'chaos/'
/** So often it is looked whether the hypothesis holds. */
const lookMs = 1_000
/** So long proxies have faults that nobody renews: without a control plane nobody looks. */
const leaseMs = 60_000

interface Lease {
  readonly startedMs: number
  readonly untilMs: number
  readonly faults: MeshFaults
}

export async function createExperimentRunner(options: ExperimentRunnerOptions): Promise<ExperimentRunner> {
  const { entries } = await options.store.list(prefix)
  const recorded = entries.map(({ key, value }): [string, ExperimentRecord] => [
    key.slice(prefix.length),
    JSON.parse(value) as ExperimentRecord,
  ])
  return new ExperimentRunner(options, new Map(recorded))
}

export class ExperimentRunner {
  readonly #options: ExperimentRunnerOptions
  /** By document id. */
  #records: ReadonlyMap<string, ExperimentRecord>
  /** Those that the store has. */
  #recorded: ReadonlyMap<string, ExperimentRecord>
  /** Of those at work. */
  readonly #leases = new Map<string, Lease>()
  readonly #faults = new WatchableValue<ReadonlyMap<string, MeshFaults>>(new Map())
  readonly #unsubscribe: () => void
  #timer: Timer | undefined
  #stepped: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(options: ExperimentRunnerOptions, recorded: ReadonlyMap<string, ExperimentRecord>) {
    this.#options = options
    const nowMs = options.clock.nowMs()
    this.#recorded = recorded
    this.#records = new Map([...recorded].map(([id, record]) => [id, resumedRecord(record, nowMs)]))
    this.#unsubscribe = options.snapshot.subscribe(() => this.#stepSoon())
    this.#stepSoon()
  }

  /** Those at work, by "host:port" of the destination whose callers suffer. */
  get faults(): Watchable<ReadonlyMap<string, MeshFaults>> {
    return this.#faults
  }

  /** Of the document with this id; undefined: it is no experiment. */
  statusOf(id: string): DocumentStatus | undefined {
    const record = this.#records.get(id)
    if (record === undefined) return undefined
    const { phase, reason, message, startedMs, endedMs, before, during } = record
    const done =
      phase === 'Completed'
        ? { ...goodCondition('Succeeded', message), reason }
        : badCondition('Succeeded', reason, message)
    return {
      phase,
      ...(startedMs === undefined ? {} : { startTime: formatRfc3339(startedMs) }),
      ...(endedMs === undefined ? {} : { endTime: formatRfc3339(endedMs) }),
      ...(before === undefined ? {} : { before }),
      ...(during === undefined ? {} : { during }),
      ...(isFinished(record) ? { conditions: [done] } : {}),
    }
  }

  /** Resolves when what is being recorded is recorded. */
  stop(): Promise<void> {
    this.#stopped = true
    this.#unsubscribe()
    this.#timer?.cancel()
    return this.#stepped
  }

  #stepSoon(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#stepped = this.#afterLast()
  }

  async #afterLast(): Promise<void> {
    await this.#stepped
    if (this.#stopped) return
    try {
      await this.#step()
    } catch (error) {
      // who cannot look must not do harm
      this.#faults.set(new Map())
      this.#options.logger.error('chaos experiments not looked at', { error: errorMessage(error) })
    }
    this.#lookAgain()
  }

  #lookAgain(): void {
    if (this.#stopped || this.#timer !== undefined || [...this.#records.values()].every(isFinished)) return
    this.#timer = this.#options.clock.setTimer(lookMs, () => this.#stepSoon())
  }

  async #step(): Promise<void> {
    const { experiments } = this.#options.snapshot.value
    const before = this.#records
    const next = this.#advanced(experiments)
    // what is over is over at once; what begins has to be recorded first, so that nothing is begun twice
    this.#records = next
    this.#publish(experiments, next, (id) => before.get(id)?.startedMs === next.get(id)?.startedMs)
    try {
      await this.#record(next)
    } catch (error) {
      this.#options.logger.error('chaos experiments not recorded: none begins', { error: errorMessage(error) })
      this.#records = new Map([...next].map(([id, record]) => [id, notBegun(before.get(id), record)]))
    }
    this.#publish(experiments, this.#records, () => true)
  }

  #advanced(experiments: MeshSnapshot['experiments']): ReadonlyMap<string, ExperimentRecord> {
    const { clock, observed } = this.#options
    const next = new Map<string, ExperimentRecord>()
    for (const [id, experiment] of experiments) {
      const known = this.#records.get(id)
      next.set(id, known?.version === experiment.version ? known : pendingRecord(experiment))
    }
    for (const [id, experiment] of experiments) {
      const view = {
        nowMs: clock.nowMs(),
        observedSince: (sinceMs: number) => observed(experiment.judged, sinceMs),
        blockedBy: blockerOf(id, experiments, next),
      }
      next.set(id, advanceExperiment(next.get(id) as ExperimentRecord, experiment, view))
    }
    return next
  }

  #publish(
    experiments: MeshSnapshot['experiments'],
    records: ReadonlyMap<string, ExperimentRecord>,
    mayBeAtWork: (id: string) => boolean,
  ): void {
    const faults = new Map<string, MeshFaults>()
    for (const [id, experiment] of experiments) {
      const { phase, startedMs } = records.get(id) ?? {}
      if (phase !== 'Running' || startedMs === undefined || !mayBeAtWork(id)) this.#leases.delete(id)
      else for (const target of experiment.targets) faults.set(target, this.#leased(id, experiment, startedMs))
    }
    const now = this.#faults.value
    if (faults.size !== now.size || [...faults].some(([target, one]) => now.get(target) !== one))
      this.#faults.set(faults)
  }

  #leased(id: string, { faults, durationMs }: MeshExperiment, startedMs: number): MeshFaults {
    const nowMs = this.#options.clock.nowMs()
    const endMs = startedMs + durationMs
    const held = this.#leases.get(id)
    if (held?.startedMs === startedMs && (held.untilMs === endMs || held.untilMs - nowMs > leaseMs / 2))
      return held.faults
    const untilMs = Math.min(nowMs + leaseMs, endMs)
    const renewed = { startedMs, untilMs, faults: { ...faults, spec: { ...faults.spec, untilMs } } }
    this.#leases.set(id, renewed)
    return renewed.faults
  }

  async #record(records: ReadonlyMap<string, ExperimentRecord>): Promise<void> {
    const { logger, store } = this.#options
    const before = this.#recorded
    const changed = [...records].filter(([id, record]) => before.get(id) !== record)
    const gone = [...before.keys()].filter((id) => !records.has(id))
    if (changed.length + gone.length === 0) return
    await store.write([
      ...changed.map(([id, record]) => ({ key: prefix + id, value: JSON.stringify(record) })),
      ...gone.map((id) => ({ key: prefix + id, value: undefined })),
    ])
    this.#recorded = records
    for (const [experiment, { phase, reason, message }] of changed)
      if (before.get(experiment)?.phase !== phase)
        logger.info('chaos experiment', { experiment, phase, reason, message })
    for (const experiment of gone) logger.info('chaos experiment is gone', { experiment })
  }
}

/** What has begun, but was not recorded, has not begun. */
function notBegun(before: ExperimentRecord | undefined, record: ExperimentRecord): ExperimentRecord {
  if (record.phase !== 'Running' || before?.phase === 'Running') return record
  return before ?? { ...record, phase: 'Pending' }
}

/** One experiment at a time: two at once would be each other's explanation. */
function blockerOf(
  own: string,
  experiments: MeshSnapshot['experiments'],
  records: ReadonlyMap<string, ExperimentRecord>,
): string | undefined {
  const concerned = servicesOf(experiments.get(own) as MeshExperiment)
  for (const [id, experiment] of experiments) {
    const phase = records.get(id)?.phase
    if (id === own || (phase !== 'SteadyState' && phase !== 'Running')) continue
    if (servicesOf(experiment).some((service) => concerned.includes(service))) return id
  }
  return undefined
}

/** Hosts. */
function servicesOf({ targets, judged }: MeshExperiment): string[] {
  return [
    serviceHost(judged.name, judged.namespace),
    ...targets.map((target) => target.slice(0, target.lastIndexOf(':'))),
  ]
}

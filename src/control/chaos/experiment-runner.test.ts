import { beforeEach, describe, expect, it } from 'vitest'

import { ManualClock } from '../../../test/kit/manual-clock.ts'
import { sampleSnapshot } from '../../../test/kit/sample-snapshot.ts'
import { silentLogger } from '../../core/logger.ts'
import { WatchableValue } from '../../core/watchable.ts'
import type { MeshExperiment, MeshSnapshot } from '../snapshot/mesh-snapshot.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import type { Store } from '../store/store.ts'
import { createExperimentRunner } from './experiment-runner.ts'
import type { ExperimentRunner } from './experiment-runner.ts'

function experiment(name: string, target: string, changes: Partial<MeshExperiment> = {}): MeshExperiment {
  return {
    namespace: 'default',
    name,
    version: name,
    targets: [`${target}.default.svc.cluster.local:80`],
    faults: { spec: { headers: [] } },
    judged: { namespace: 'default', name: 'web' },
    hypothesis: { successRatePercent: 99, windowMs: 5_000, minRequests: 1 },
    steadyStateMs: 0,
    durationMs: 10_000,
    suspend: false,
    ...changes,
  }
}

let clock: ManualClock
let store: Store
let snapshot: WatchableValue<MeshSnapshot>
let failed: number
let runner: ExperimentRunner

function holding(...experiments: readonly MeshExperiment[]): MeshSnapshot {
  return sampleSnapshot([], [], {
    experiments: new Map(experiments.map((one) => [`ChaosExperiment/default/${one.name}`, one])),
  })
}

async function start(...experiments: readonly MeshExperiment[]): Promise<void> {
  snapshot = new WatchableValue(holding(...experiments))
  runner = await createExperimentRunner({
    clock,
    logger: silentLogger,
    store,
    snapshot,
    observed: () => ({ requests: 100, failed }),
  })
  await looked()
}

/** Promises of the store and the runner. */
async function looked(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}

async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 1_000) {
    clock.advance(Math.min(left, 1_000))
    await looked()
  }
}

function phases(): string[] {
  return [...snapshot.value.experiments.keys()].map((id) => {
    const { phase = '', conditions = [] } = runner.statusOf(id) ?? {}
    return `${phase}${conditions.map(({ reason }) => ` ${reason}`).join('')}`
  })
}

beforeEach(() => {
  clock = new ManualClock()
  store = openSqliteStore({ file: ':memory:', clock, logger: silentLogger })
  failed = 0
  return async () => {
    await runner.stop()
    await store.close()
  }
})

describe('chaos experiments', () => {
  it('have their faults at work until they are over', async () => {
    await start(experiment('slow', 'reviews'))
    expect([...runner.faults.value]).toEqual([
      ['reviews.default.svc.cluster.local:80', { spec: { headers: [], untilMs: clock.nowMs() + 10_000 } }],
    ])
    await pass(9_000)
    expect(runner.faults.value.size).toBe(1)
    await pass(1_000)
    expect(runner.faults.value.size).toBe(0)
    expect(phases()).toEqual(['Completed HypothesisHeld'])
    expect(clock.pendingCount).toBe(0)
  })

  it('end within a second when the hypothesis fails', async () => {
    await start(experiment('slow', 'reviews'))
    await pass(3_000)
    failed = 2
    await pass(1_000)
    expect(runner.faults.value.size).toBe(0)
    expect(phases()).toEqual(['Aborted SuccessRateTooLow'])
    expect(runner.statusOf('ChaosExperiment/default/slow')).toMatchObject({
      startTime: '2023-11-14T22:13:20.000Z',
      endTime: '2023-11-14T22:13:24.000Z',
      during: { requests: 100, failed: 2, successRate: 98 },
    })
  })

  it('end at once when the document is gone, and begin anew with another one', async () => {
    await start(experiment('slow', 'reviews'))
    snapshot.set(holding())
    await looked()
    expect(runner.faults.value.size).toBe(0)
    expect((await store.list('chaos/')).entries).toEqual([])
    snapshot.set(holding(experiment('slow', 'reviews', { steadyStateMs: 5_000 })))
    await looked()
    expect(phases()).toEqual(['SteadyState'])
  })

  it('are renewed while somebody looks at them', async () => {
    await start(experiment('slow', 'reviews', { durationMs: 100_000 }))
    const startMs = clock.nowMs()
    const leases = new Set<number>()
    for (let second = 0; second < 99; second++) {
      const [faults] = runner.faults.value.values()
      leases.add((faults?.spec.untilMs ?? 0) - startMs)
      await pass(1_000)
    }
    expect([...leases]).toEqual([60_000, 90_000, 100_000])
  })

  it('begin from the start when what they say changes', async () => {
    await start(experiment('slow', 'reviews'))
    snapshot.set(holding(experiment('slow', 'reviews', { version: 'other', steadyStateMs: 5_000 })))
    await looked()
    expect([runner.faults.value.size, ...phases()]).toEqual([0, 'SteadyState'])
    const [before] = runner.faults.value.values()
    snapshot.set(holding(experiment('slow', 'reviews', { version: 'third', durationMs: 20_000 })))
    await looked()
    const [after] = runner.faults.value.values()
    expect([before, after?.spec.untilMs]).toEqual([undefined, clock.nowMs() + 20_000])
  })

  it('wait for those that concern the same Service', async () => {
    const elsewhere = experiment('elsewhere', 'bank', { judged: { namespace: 'default', name: 'cart' } })
    await start(experiment('slow', 'reviews'), experiment('later', 'ratings'), elsewhere)
    expect(phases()).toEqual(['Running', 'Pending', 'Running'])
    await pass(10_000)
    expect(phases()).toEqual(['Completed HypothesisHeld', 'Running', 'Completed HypothesisHeld'])
  })

  it('do not go on, nor begin again, in another control plane', async () => {
    await start(experiment('slow', 'reviews'))
    await runner.stop()
    await start(experiment('slow', 'reviews'))
    expect([runner.faults.value.size, ...phases()]).toEqual([0, 'Aborted ControlPlaneRestarted'])
    await runner.stop()
    clock.advance(60_000)
    await start(experiment('slow', 'reviews'))
    expect([runner.faults.value.size, ...phases()]).toEqual([0, 'Aborted ControlPlaneRestarted'])
    const { endTime } = runner.statusOf('ChaosExperiment/default/slow') ?? {}
    expect(endTime).toBe('2023-11-14T22:13:20.000Z')
  })

  it('do not begin when that cannot be recorded', async () => {
    const write = store.write.bind(store)
    let broken = true
    store.write = (writes) => (broken ? Promise.reject(new Error('the disk is full')) : write(writes))
    await start(experiment('slow', 'reviews'))
    expect([runner.faults.value.size, ...phases()]).toEqual([0, 'Pending'])
    broken = false
    await pass(1_000)
    expect([runner.faults.value.size, ...phases()]).toEqual([1, 'Running'])
  })
})

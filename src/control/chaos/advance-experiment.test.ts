import { beforeEach, describe, expect, it } from 'vitest'

import type { MeshExperiment } from '../snapshot/mesh-snapshot.ts'
import { advanceExperiment } from './advance-experiment.ts'
import type { ObservedRequests } from './advance-experiment.ts'
import { pendingRecord, resumedRecord } from './experiment-record.ts'
import type { ExperimentRecord } from './experiment-record.ts'

const experiment: MeshExperiment = {
  namespace: 'default',
  name: 'slow',
  version: 'v1',
  targets: ['reviews.default.svc.cluster.local:80'],
  faults: { spec: { headers: [] } },
  judged: { namespace: 'default', name: 'web' },
  hypothesis: { successRatePercent: 99, p99Ms: 500, windowMs: 10_000, minRequests: 20 },
  steadyStateMs: 30_000,
  durationMs: 60_000,
  suspend: false,
}
const good: ObservedRequests = { requests: 1_000, failed: 10, durationMs: { p99: 499.2 } }

let nowMs: number
let record: ExperimentRecord

beforeEach(() => {
  nowMs = 1_000_000
  record = pendingRecord(experiment)
})

/** Looks after so long; "phase reason". */
function after(
  ms: number,
  observed: ObservedRequests,
  changes: Partial<MeshExperiment> = {},
  blockedBy?: string,
): string {
  nowMs += ms
  const view = { nowMs, observedSince: () => observed, blockedBy }
  record = advanceExperiment(record, { ...experiment, ...changes }, view)
  return `${record.phase} ${record.reason}`
}

function run(): void {
  after(0, good)
  expect(after(30_000, good)).toBe('Running Running')
}

describe('an experiment that holds', () => {
  it('looks at the steady state, runs, completes, and has the figures of both', () => {
    expect(after(0, good)).toBe('SteadyState SteadyState')
    expect(after(29_999, good)).toBe('SteadyState SteadyState')
    expect(after(1, good)).toBe('Running Running')
    expect(after(59_999, good)).toBe('Running Running')
    expect(after(1, { requests: 2_000, failed: 0, durationMs: { p99: 80 } })).toBe('Completed HypothesisHeld')
    expect(record).toMatchObject({
      startedMs: 1_030_000,
      endedMs: 1_090_000,
      before: { requests: 1_000, failed: 10, successRate: 99, p99: 500 },
      during: { requests: 2_000, failed: 0, successRate: 100, p99: 80 },
    })
    expect(after(3_600_000, good)).toBe('Completed HypothesisHeld')
  })

  it('starts at once without a steady state', () => {
    expect(after(0, good, { steadyStateMs: 0 })).toBe('Running Running')
  })
})

describe('an experiment is aborted', () => {
  beforeEach(run)

  it('when too many requests fail', () => {
    expect(after(1_000, { ...good, failed: 11 })).toBe('Aborted SuccessRateTooLow')
    expect(record.message).toBe('98.9 % of 1000 requests of web within 10 s succeeded, the hypothesis says 99 %')
    expect(record.endedMs).toBe(nowMs)
  })

  it('when requests take too long', () => {
    expect(after(1_000, { ...good, durationMs: { p99: 501 } })).toBe('Aborted LatencyTooHigh')
  })

  it('when nobody tells what callers see, after one window', () => {
    const silent = { requests: 19, failed: 19 }
    expect(after(9_999, silent)).toBe('Running Running')
    expect(after(1, silent)).toBe('Aborted TelemetryMissing')
  })

  it('when it breaks at the very end', () => {
    expect(after(60_000, { ...good, failed: 500 })).toBe('Aborted SuccessRateTooLow')
  })

  it('when it is suspended, for good', () => {
    expect(after(1_000, good, { suspend: true })).toBe('Aborted Suspended')
    expect(after(1_000, good)).toBe('Aborted Suspended')
  })

  it('when its targets are gone', () => {
    expect(after(1_000, good, { targets: [] })).toBe('Aborted NotAccepted')
  })

  it('by the end of the control plane', () => {
    record = resumedRecord(record, nowMs)
    expect(after(1_000, good)).toBe('Aborted ControlPlaneRestarted')
  })
})

describe('an experiment does no harm', () => {
  it('where the hypothesis does not hold without faults', () => {
    after(0, good)
    expect(after(1_000, { ...good, failed: 11 })).toBe('Failed SuccessRateTooLow')
    expect(record).toMatchObject({ message: expect.stringMatching(/^without faults 98\.9 %/), before: { failed: 11 } })
  })

  it('where too little is known at the end of the steady state', () => {
    after(0, { requests: 0, failed: 0 })
    expect(after(29_999, { requests: 19, failed: 0 })).toBe('SteadyState SteadyState')
    expect(after(1, { requests: 19, failed: 0 })).toBe('Failed TelemetryMissing')
  })

  it('while it is suspended, and begins when it is not any more', () => {
    expect(after(0, good, { suspend: true })).toBe('Pending Suspended')
    expect(after(1_000, good)).toBe('SteadyState SteadyState')
    expect(after(1_000, good, { suspend: true })).toBe('Pending Suspended')
    expect(record.steadySinceMs).toBeUndefined()
  })

  it('while another is at work on the same Service', () => {
    expect(after(0, good, {}, 'ChaosExperiment/default/other')).toBe('Pending Waiting')
    expect(after(0, good)).toBe('SteadyState SteadyState')
  })

  it('before its time, and when its time has been missed', () => {
    const startTimeMs = nowMs + 10_000
    expect(after(9_999, good, { startTimeMs })).toBe('Pending Scheduled')
    expect(after(1, good, { startTimeMs })).toBe('SteadyState SteadyState')
    record = pendingRecord(experiment)
    expect(after(60_000, good, { startTimeMs })).toBe('SteadyState SteadyState')
    record = pendingRecord(experiment)
    expect(after(1, good, { startTimeMs })).toBe('Failed Missed')
  })

  it('after the control plane ended in the steady state, until it has been seen anew', () => {
    after(0, good)
    record = resumedRecord(record, nowMs)
    expect(after(30_000, good)).toBe('SteadyState SteadyState')
    expect(record.steadySinceMs).toBe(nowMs)
  })
})

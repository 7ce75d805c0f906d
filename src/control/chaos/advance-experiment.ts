// One step of a ChaosExperiment: from what is known of it and what callers see to what it is now. Pure.
import { formatRfc3339 } from '../../core/rfc3339.ts'
import type { MeshExperiment } from '../snapshot/mesh-snapshot.ts'
import type { ExperimentFigures, ExperimentPhase, ExperimentRecord } from './experiment-record.ts'

/** What was observed of the requests to a Service. */
export interface ObservedRequests {
  readonly requests: number
  readonly failed: number
  /** Milliseconds. */
  readonly durationMs?: { readonly p99: number }
}

export interface ExperimentView {
  readonly nowMs: number
  /** What callers of the Service that is judged have seen since then. */
  observedSince(sinceMs: number): ObservedRequests
  /** The experiment that is at work on the same Service; undefined: none. */
  readonly blockedBy: string | undefined
}

/** What is later than its start time by more than this is not made up for. */
const latestMs = 60_000

/** The same record when nothing has changed. */
export function advanceExperiment(
  record: ExperimentRecord,
  experiment: MeshExperiment,
  view: ExperimentView,
): ExperimentRecord {
  if (record.phase === 'Pending') return pending(record, experiment, view)
  if (record.phase === 'SteadyState') return steady(record, experiment, view)
  if (record.phase === 'Running') return running(record, experiment, view)
  return record
}

function pending(record: ExperimentRecord, experiment: MeshExperiment, view: ExperimentView): ExperimentRecord {
  const { targets, suspend, startTimeMs, steadyStateMs } = experiment
  const { nowMs, blockedBy } = view
  const waits = (reason: string, message: string): ExperimentRecord => told(record, 'Pending', reason, message)
  if (targets.length === 0) return waits('NotAccepted', 'the document is not accepted')
  if (suspend) return waits('Suspended', 'spec.suspend is true')
  if (startTimeMs !== undefined && nowMs < startTimeMs)
    return waits('Scheduled', `it begins at ${formatRfc3339(startTimeMs)}`)
  if (startTimeMs !== undefined && nowMs > startTimeMs + latestMs) {
    const message = `nobody was there at ${formatRfc3339(startTimeMs)}, when it was to begin`
    return { ...told(record, 'Failed', 'Missed', message), endedMs: nowMs }
  }
  if (blockedBy !== undefined) return waits('Waiting', `${blockedBy} is at work on the same Service`)
  if (steadyStateMs === 0) return started(record, experiment, view)
  const message = 'it is looked whether the hypothesis holds without faults'
  return { ...told(record, 'SteadyState', 'SteadyState', message), steadySinceMs: nowMs }
}

function steady(record: ExperimentRecord, experiment: MeshExperiment, view: ExperimentView): ExperimentRecord {
  const { targets, suspend, steadyStateMs, hypothesis } = experiment
  const { nowMs } = view
  const { steadySinceMs = nowMs } = record
  if (suspend || targets.length === 0) {
    const { steadySinceMs: _, ...again } = record
    return pending({ ...again, phase: 'Pending' }, experiment, view)
  }
  const over = nowMs - steadySinceMs >= steadyStateMs
  const verdict = judge(experiment, view.observedSince(nowMs - hypothesis.windowMs))
  if (verdict.kind === 'holds' || (verdict.kind === 'unknown' && !over))
    return over ? started(record, experiment, view) : record
  const before = figuresOf(view.observedSince(steadySinceMs))
  return { ...told(record, 'Failed', verdict.reason, `without faults ${verdict.message}`), endedMs: nowMs, before }
}

function started(record: ExperimentRecord, { hypothesis }: MeshExperiment, view: ExperimentView): ExperimentRecord {
  const { nowMs } = view
  const { steadySinceMs = nowMs - hypothesis.windowMs } = record
  const before = figuresOf(view.observedSince(steadySinceMs))
  return { ...told(record, 'Running', 'Running', 'its faults are at work'), startedMs: nowMs, before }
}

function running(record: ExperimentRecord, experiment: MeshExperiment, view: ExperimentView): ExperimentRecord {
  const { targets, suspend, durationMs, hypothesis } = experiment
  const { nowMs } = view
  const { startedMs = nowMs } = record
  const end = (phase: ExperimentPhase, reason: string, message: string): ExperimentRecord => ({
    ...told(record, phase, reason, message),
    endedMs: nowMs,
    during: figuresOf(view.observedSince(startedMs)),
  })
  if (targets.length === 0) return end('Aborted', 'NotAccepted', 'the document is not accepted any more')
  if (suspend) return end('Aborted', 'Suspended', 'spec.suspend is true')
  const verdict = judge(experiment, view.observedSince(Math.max(startedMs, nowMs - hypothesis.windowMs)))
  if (verdict.kind === 'broken') return end('Aborted', verdict.reason, verdict.message)
  // what is not told is not taken to be well
  if (verdict.kind === 'unknown' && nowMs - startedMs >= hypothesis.windowMs)
    return end('Aborted', verdict.reason, verdict.message)
  if (nowMs - startedMs < durationMs) return record
  return end('Completed', 'HypothesisHeld', 'the hypothesis held to the end')
}

type Verdict =
  | { readonly kind: 'holds' }
  | { readonly kind: 'unknown' | 'broken'; readonly reason: string; readonly message: string }

function judge({ hypothesis, judged }: MeshExperiment, observed: ObservedRequests): Verdict {
  const { successRatePercent = 0, p99Ms = Infinity, windowMs, minRequests } = hypothesis
  const { requests, successRate = 100, p99 = 0 } = figuresOf(observed)
  const whose = `of ${judged.name} within ${windowMs / 1000} s`
  if (requests < minRequests) {
    const message = `callers ${whose} reported ${requests} requests, ${minRequests} are needed to judge`
    return { kind: 'unknown', reason: 'TelemetryMissing', message }
  }
  if (successRate < successRatePercent) {
    const message = `${successRate} % of ${requests} requests ${whose} succeeded, the hypothesis says ${successRatePercent} %`
    return { kind: 'broken', reason: 'SuccessRateTooLow', message }
  }
  if (p99 <= p99Ms) return { kind: 'holds' }
  const message = `the 99th percentile of ${requests} requests ${whose} is ${p99} ms, the hypothesis says ${p99Ms} ms`
  return { kind: 'broken', reason: 'LatencyTooHigh', message }
}

function figuresOf({ requests, failed, durationMs }: ObservedRequests): ExperimentFigures {
  return {
    requests,
    failed,
    // never rounded up to what the hypothesis asks for
    ...(requests === 0 ? {} : { successRate: Math.floor(((requests - failed) / requests) * 1e5) / 1e3 }),
    ...(durationMs === undefined ? {} : { p99: Math.ceil(durationMs.p99) }),
  }
}

function told(record: ExperimentRecord, phase: ExperimentPhase, reason: string, message: string): ExperimentRecord {
  const same = record.phase === phase && record.reason === reason && record.message === message
  return same ? record : { ...record, phase, reason, message }
}

// What became of a ChaosExperiment so far: kept in the store, shown as the status of its document.
import type { MeshExperiment } from '../snapshot/mesh-snapshot.ts'

/**
 * `Pending`: it has not begun. `SteadyState`: it is looked whether the hypothesis holds without faults. `Running`: with them. The others are the
 * end: the hypothesis held to the end, the faults were taken back before, or there were none.
 */
export type ExperimentPhase = 'Pending' | 'SteadyState' | 'Running' | 'Completed' | 'Aborted' | 'Failed'

/** What callers saw. */
export interface ExperimentFigures {
  readonly requests: number
  readonly failed: number
  /** Percent; absent without requests. */
  readonly successRate?: number
  /** Milliseconds. */
  readonly p99?: number
}

export interface ExperimentRecord {
  /** Of the experiment: another one begins anew. */
  readonly version: string
  readonly phase: ExperimentPhase
  /** One word in CamelCase. */
  readonly reason: string
  readonly message: string
  /** Milliseconds since the Unix epoch, as all times here. */
  readonly steadySinceMs?: number
  readonly startedMs?: number
  readonly endedMs?: number
  /** In the steady state, or as long as one window before. */
  readonly before?: ExperimentFigures
  readonly during?: ExperimentFigures
}

export function isFinished({ phase }: ExperimentRecord): boolean {
  return phase === 'Completed' || phase === 'Aborted' || phase === 'Failed'
}

export function pendingRecord({ version }: MeshExperiment): ExperimentRecord {
  return { version, phase: 'Pending', reason: 'Pending', message: 'it has not begun' }
}

/** As the last control plane left it: nobody has watched callers since, so faults that were at work stay away. */
export function resumedRecord(record: ExperimentRecord, nowMs: number): ExperimentRecord {
  if (record.phase === 'Running') {
    const message = 'the control plane ended in the middle of it: nobody knows what callers saw'
    return { ...record, phase: 'Aborted', reason: 'ControlPlaneRestarted', message, endedMs: nowMs }
  }
  if (record.phase !== 'SteadyState') return record
  const { steadySinceMs: _, ...again } = record
  return { ...again, phase: 'Pending', reason: 'Pending', message: 'it has not begun' }
}

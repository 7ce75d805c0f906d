// How the workloads that the supervisor runs are doing, in its words.
import type { WorkloadStatus } from '../../contracts/desired-state.ts'
import type { Problem } from '../../contracts/problem.ts'

/** Kept in memory: a restarted control plane hears everything again from the supervisor. */
export class WorkloadStatuses {
  #byWorkload: ReadonlyMap<string, WorkloadStatus> = new Map()

  replace(statuses: readonly WorkloadStatus[]): void {
    this.#byWorkload = new Map(statuses.map((status) => [`${status.namespace}/${status.name}`, status]))
  }

  get(workload: string): WorkloadStatus | undefined {
    return this.#byWorkload.get(workload)
  }

  list(): WorkloadStatus[] {
    return [...this.#byWorkload.values()]
  }

  /** HDL014 for each failing workload. */
  problems(): Problem[] {
    return this.list()
      .filter(({ state }) => state === 'failing')
      .map(({ namespace, name, message = 'failing', lastLines = [] }) => ({
        code: 'HDL014',
        severity: 'error',
        document: `Workload/${namespace}/${name}`,
        message: [`workload ${namespace}/${name} ${message}`, ...lastLines.map((line) => `  | ${line}`)].join('\n'),
        hint: 'its whole output is in the log folder of the state directory',
      }))
  }
}

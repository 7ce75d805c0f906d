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
      .map(({ namespace, name, code = 'HDL014', message = 'is failing', lastLines = [] }) => ({
        code,
        severity: 'error',
        document: `Workload/${namespace}/${name}`,
        message: [message, ...lastLines.map((line) => `  | ${line}`)].join('\n'),
        hint: code === 'HDL011' ? freePort : seeLog,
      }))
  }
}

const freePort = 'stop what listens there, or give the workload another port'
const seeLog = 'its whole output is in the logs folder of the state directory'

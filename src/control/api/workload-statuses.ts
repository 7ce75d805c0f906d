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

  /** One for each failing workload. */
  problems(): Problem[] {
    return this.list()
      .filter(({ state }) => state === 'failing')
      .map((status) => ({
        code: status.code ?? 'HDL014',
        severity: 'error',
        document: `Workload/${status.namespace}/${status.name}`,
        message: describe(status),
        ...(status.code === 'HDL011' ? { hint: 'stop what listens there, or give the workload another port' } : {}),
      }))
  }
}

function describe({ namespace, name, message = 'is failing', lastLines = [] }: WorkloadStatus): string {
  if (lastLines.length === 0) return message
  const lines = lastLines.map((line) => `\n  | ${line}`).join('')
  return `${message}; the end of logs/${namespace}.${name}.log in the state directory:${lines}`
}

// How the workloads and gateways that the supervisor runs are doing, in its words.
import type { WorkloadStatus } from '../../contracts/desired-state.ts'
import type { Problem } from '../../contracts/problem.ts'

/** Kept in memory: a restarted control plane hears everything again from the supervisor. */
export class WorkloadStatuses {
  #statuses: readonly WorkloadStatus[] = []
  #byWorkload: ReadonlyMap<string, WorkloadStatus> = new Map()

  replace(statuses: readonly WorkloadStatus[]): void {
    this.#statuses = statuses
    const workloads = statuses.filter(({ kind }) => kind === 'sidecar')
    this.#byWorkload = new Map(workloads.map((status) => [`${status.namespace}/${status.name}`, status]))
  }

  /** `workload` is "namespace/name". */
  get(workload: string): WorkloadStatus | undefined {
    return this.#byWorkload.get(workload)
  }

  list(): readonly WorkloadStatus[] {
    return this.#statuses
  }

  /** One for each that is failing. */
  problems(): Problem[] {
    return this.list()
      .filter(({ state }) => state === 'failing')
      .map((status) => ({
        code: status.code ?? 'HDL014',
        severity: 'error',
        document: `${status.kind === 'gateway' ? 'Gateway' : 'Workload'}/${status.namespace}/${status.name}`,
        message: describe(status),
        ...(status.code === 'HDL011' ? { hint: 'stop what listens there, or choose another port' } : {}),
      }))
  }
}

function describe({ namespace, name, message = 'is failing', lastLines = [] }: WorkloadStatus): string {
  if (lastLines.length === 0) return message
  const lines = lastLines.map((line) => `\n  | ${line}`).join('')
  return `${message}; the end of logs/${namespace}.${name}.log in the state directory:${lines}`
}

// How the workloads and gateways that the supervisor runs are doing, in its words.
import { isDeepStrictEqual } from 'node:util'

import type { WorkloadStatus } from '../../contracts/desired-state.ts'
import type { Problem } from '../../contracts/problem.ts'
import { WatchableValue } from '../../core/watchable.ts'

/** Kept in memory: a restarted control plane hears everything again from the supervisor. */
export class WorkloadStatuses {
  /** "namespace/name" of the workloads that are ready; a new set whenever it changes. */
  readonly ready: WatchableValue<ReadonlySet<string>> = new WatchableValue<ReadonlySet<string>>(new Set())
  #statuses: readonly WorkloadStatus[] = []

  replace(statuses: readonly WorkloadStatus[]): void {
    this.#statuses = statuses
    const ready = statuses.filter(({ kind, state }) => kind === 'sidecar' && state === 'ready')
    const names = new Set(ready.map(({ namespace, name }) => `${namespace}/${name}`))
    if (!isDeepStrictEqual(names, this.ready.value)) this.ready.set(names)
  }

  /** `workload`: "namespace/name". */
  reason(workload: string): string | undefined {
    return this.#statuses.find(({ kind, namespace, name }) => kind === 'sidecar' && `${namespace}/${name}` === workload)
      ?.message
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

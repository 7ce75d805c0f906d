// How the workloads and gateways that the supervisor runs are doing, in its words.
import { isDeepStrictEqual } from 'node:util'

import type { WorkloadStatus } from '../../contracts/desired-state.ts'
import type { Problem } from '../../contracts/problem.ts'
import { WatchableValue } from '../../core/watchable.ts'
import type { ServingWorkloads } from '../translate/mesh-resource-view.ts'

/** Kept in memory: a restarted control plane hears everything again from the supervisor. */
export class WorkloadStatuses {
  /** A new map whenever it changes. */
  readonly serving: WatchableValue<ServingWorkloads> = new WatchableValue<ServingWorkloads>(new Map())
  readonly all: WatchableValue<readonly WorkloadStatus[]> = new WatchableValue<readonly WorkloadStatus[]>([])

  replace(statuses: readonly WorkloadStatus[]): void {
    this.all.set(statuses)
    const serving = new Map<string, 'ready' | 'draining'>()
    for (const { kind, namespace, name, state } of statuses) {
      if (kind !== 'sidecar' || (state !== 'ready' && state !== 'stopping')) continue
      serving.set(`${namespace}/${name}`, state === 'ready' ? 'ready' : 'draining')
    }
    if (!isDeepStrictEqual(serving, this.serving.value)) this.serving.set(serving)
  }

  /** `workload`: "namespace/name", here and below. */
  isReady(workload: string): boolean {
    return this.serving.value.get(workload) === 'ready'
  }

  reason(workload: string): string | undefined {
    return this.all.value.find(({ kind, namespace, name }) => kind === 'sidecar' && `${namespace}/${name}` === workload)
      ?.message
  }

  list(): readonly WorkloadStatus[] {
    return this.all.value
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

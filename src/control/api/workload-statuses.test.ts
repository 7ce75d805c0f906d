import { expect, it } from 'vitest'

import type { WorkloadStatus } from '../../contracts/desired-state.ts'
import { WorkloadStatuses } from './workload-statuses.ts'

function status(name: string, state: WorkloadStatus['state'], changes: Partial<WorkloadStatus> = {}): WorkloadStatus {
  return { kind: 'sidecar', namespace: 'default', name, state, restarts: 0, ...changes }
}

it('takes ready workloads for serving, and those that stop for draining', () => {
  const statuses = new WorkloadStatuses()
  let changes = 0
  statuses.serving.subscribe(() => changes++)
  const before = changes
  const all = [
    status('a', 'ready'),
    status('b', 'stopping'),
    status('c', 'failing', { message: 'status 503' }),
    status('edge', 'ready', { kind: 'gateway' }),
  ]
  statuses.replace(all)
  expect([...statuses.serving.value]).toEqual([
    ['default/a', 'ready'],
    ['default/b', 'draining'],
  ])
  expect(['default/a', 'default/b', 'default/c'].map((name) => statuses.isReady(name))).toEqual([true, false, false])
  expect(statuses.reason('default/c')).toBe('status 503')
  statuses.replace([...all])
  expect(changes - before).toBe(1)
})

// All workloads of the mesh.
import type { WorkloadList } from '../../../src/contracts/read-api.ts'
import { useAnswer } from '../api/ask.ts'
import { amend } from '../route.ts'
import { WorkloadTable } from './workload-table.tsx'

export function WorkloadsPage({ windowMs, find }: { readonly windowMs: number; readonly find: string }) {
  const { answer, error } = useAnswer<WorkloadList>(
    `workloads ${windowMs}`,
    () => `v1/workloads?windowMs=${windowMs}`,
    3_000,
  )
  const workloads = answer?.workloads.filter(({ namespace, name }) => `${namespace}/${name}`.includes(find))
  return (
    <div className="page">
      <h1>Workloads</h1>
      <div className="filters">
        <label>
          Find{' '}
          <input type="search" value={find} onChange={(event) => amend({ find: event.target.value || undefined })} />
        </label>
      </div>
      {workloads === undefined ? (
        <p className="empty">{error?.message ?? 'Asking the control plane…'}</p>
      ) : (
        <WorkloadTable
          workloads={workloads}
          windowMs={answer?.windowMs ?? windowMs}
          empty={find === '' ? 'There is no Workload yet.' : `No workload has "${find}" in its name.`}
        />
      )}
    </div>
  )
}

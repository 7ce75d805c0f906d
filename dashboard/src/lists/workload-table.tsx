// Workloads with how they run, what they answered, and whether their proxies are in step.
import type { DocumentPlace, WorkloadView } from '../../../src/contracts/read-api.ts'
import { formatAgo } from '../format.ts'
import { href } from '../route.ts'
import { SignalCells, SignalHeads } from '../signal-cells.tsx'

export interface WorkloadTableProps {
  readonly workloads: readonly WorkloadView[]
  readonly windowMs: number
  readonly empty: string
}

const columns = ['rate', 'success', 'p99'] as const

export function WorkloadTable({ workloads, windowMs, empty }: WorkloadTableProps) {
  if (workloads.length === 0) return <p className="empty">{empty}</p>
  const nowMs = Date.now()
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Workload</th>
          <th scope="col">State</th>
          <th scope="col" className="number">
            Restarts
          </th>
          <SignalHeads columns={columns} />
          <th scope="col">Proxy</th>
          <th scope="col">Certificate</th>
          <th scope="col">Written in</th>
        </tr>
      </thead>
      <tbody>
        {workloads.map((workload) => (
          <tr key={`${workload.namespace}/${workload.name}`}>
            <td>
              <a href={href(['workload', workload.namespace, workload.name])} title={workload.spiffeId}>
                {workload.name}
              </a>{' '}
              <span className="kind">{workload.namespace}</span>
              {workload.zone !== '' && <span className="kind"> {workload.zone}</span>}
            </td>
            <td>
              <span className={`state ${workload.state ?? 'unknown'}`}>{workload.state ?? 'run by others'}</span>
              {workload.reason !== undefined && workload.state !== 'ready' && (
                <div className="reason">{workload.reason}</div>
              )}
            </td>
            <td className={`number ${workload.restarts > 0 ? 'degraded' : ''}`}>{workload.restarts}</td>
            <SignalCells signals={workload} windowMs={windowMs} columns={columns} />
            <td>{workload.proxyConnected ? `revision ${workload.proxyRevision ?? '?'}` : 'not connected'}</td>
            <td>
              {workload.certificateNotAfterMs === undefined
                ? '–'
                : certificateText(workload.certificateNotAfterMs - nowMs)}
            </td>
            <td>
              <Place place={workload.document} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

export function certificateText(leftMs: number): string {
  return leftMs > 0 ? `${formatAgo(leftMs)} left` : `ended ${formatAgo(leftMs)} ago`
}

/** The end of a path says most. */
export function Place({ place }: { readonly place: DocumentPlace }) {
  if (place.file === undefined) return <span className="kind">applied</span>
  const file = place.file.split('/').slice(-2).join('/')
  return (
    <code title={`${place.file}:${place.line ?? 1}`}>
      {file}:{place.line ?? 1}
    </code>
  )
}

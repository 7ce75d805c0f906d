// The endpoints of a service as its callers see them: what is under way at each, and who passes it over.
import type { EndpointList } from '../../../src/contracts/read-api.ts'
import { useAnswer } from '../api/ask.ts'
import { href } from '../route.ts'
import { Heads, NumberHead } from '../signal-cells.tsx'

export interface EndpointTableProps {
  readonly namespace: string
  readonly name: string
  readonly windowMs: number
}

export function EndpointTable({ namespace, name, windowMs }: EndpointTableProps) {
  const path = `v1/services/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}/endpoints`
  const { answer } = useAnswer<EndpointList>(`${path} ${windowMs}`, () => `${path}?windowMs=${windowMs}`, 3_000)
  if (answer === undefined) return <p className="empty">Asking the proxies of its callers…</p>
  const { asked, silent, endpoints } = answer
  const missing = silent.length === 0 ? '' : ` ${silent.join(', ')} did not answer.`
  if (endpoints.length === 0)
    return (
      <p className="empty">No caller of the mesh has asked it in this time, so none knows its endpoints.{missing}</p>
    )
  return (
    <>
      <table>
        <thead>
          <tr>
            <Heads of={['Endpoint', 'Workload']} />
            <NumberHead>Under way</NumberHead>
            <Heads of={['Passed over by']} />
          </tr>
        </thead>
        <tbody>
          {endpoints.map(({ address, workload, activeRequests, passedOver }) => (
            <tr key={address}>
              <td>
                <code>{address}</code>
              </td>
              <td>
                {workload === undefined ? '–' : <a href={href(['workload', ...workload.split('/')])}>{workload}</a>}
              </td>
              <td className="number">{activeRequests}</td>
              <td className={passedOver.length > 0 ? 'degraded' : ''}>
                {passedOver.map(({ by, why }) => `${by}: ${why}`).join('; ') || 'nobody'}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className="quiet">
        As {asked.join(', ')} {asked.length === 1 ? 'sees' : 'see'} them now.{missing}
      </p>
    </>
  )
}
